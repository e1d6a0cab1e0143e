import type { Random } from "../../core/base/index.ts";
import type { NodeAdapters } from "../daemon/index.ts";
import type { HostClock, VirtualProcess, VirtualTime } from "./time.ts";

/** A turn of the event loop takes up to so many virtual milliseconds. */
const SOON_MS = 0.5;

/** The clocks of a virtual host and the turns of one of its processes, as the node's shell wants them. */
export function virtualClock(
  time: VirtualTime,
  clock: HostClock,
  of: { readonly process: VirtualProcess; readonly random: Random },
): NodeAdapters["clock"] {
  const { process, random } = of;
  return {
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, then) => {
      let live = true;
      time.at(clock.worldAfter(delayMs), "timer", () => process.run(() => (live ? then() : undefined)));
      return () => {
        live = false;
      };
    },
    // What arrives in one turn is taken together.
    soon: (then) => time.after(random.fraction() * SOON_MS, "soon", () => process.run(then)),
  };
}
