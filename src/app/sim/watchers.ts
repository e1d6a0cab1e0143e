import type { Random } from "../../core/base/index.ts";
import type { WatchSink } from "../../io/api/index.ts";
import type { VirtualHost } from "./host.ts";
import { Violation } from "./invariant.ts";
import type { World } from "./world.ts";

const WATCHERS = 3;

type Watcher = { readonly name: string; seen: number | null; stop: (() => void) | null };

/**
 * Programs that follow the cluster's events, and go on at another member from the index they have reached (RAFT.md §10
 * C4): no gap, no reorder, nothing twice; where a member cannot give what is missing it says so by `reset`.
 */
export class Watchers {
  readonly #world: World;
  readonly #watchers: Watcher[] = Array.from({ length: WATCHERS }, (_, at) => ({ name: `watch ${at + 1}`, seen: null, stop: null }));

  readonly #steps: { readonly who: string; readonly where: string; readonly seen: number; readonly index: number }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** A watcher begins, or moves to another member. */
  act(host: VirtualHost, draw: Random): void {
    const watcher = this.#watchers[draw.below(WATCHERS)];
    if (watcher === undefined || host.hub === null || host.shell === null) return;
    watcher.stop?.();
    const index = host.shell.core.state.index;
    watcher.stop = host.hub.add(this.#sink(watcher, host), watcher.seen, index);
    watcher.seen ??= index;
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.stop?.();
  }

  #sink(watcher: Watcher, host: VirtualHost): WatchSink {
    let closed = false;
    return {
      get closed() {
        return closed;
      },
      push: (_, index) => this.#follow(watcher, host, index),
      reset: (index) => {
        watcher.seen = index;
      },
      end: () => {
        closed = true;
        watcher.stop = null;
      },
    };
  }

  #follow(watcher: Watcher, host: VirtualHost, index: number): void {
    const seen = watcher.seen ?? 0;
    watcher.seen = index;
    if (index <= seen) throw new Violation("C4", `${watcher.name} hears of entry ${index} from ${host.name} after ${seen}`);
    this.#steps.push({ who: watcher.name, where: host.name, seen, index });
  }

  /** Every command that changed something was told to whoever passed its index. */
  check(): void {
    for (const { who, where, seen, index } of this.#steps) {
      for (let missed = seen + 1; missed < index; missed += 1) {
        if (this.#world.changed.has(missed)) throw new Violation("C4", `${who} hears of entry ${index} from ${where} and not of ${missed}`);
      }
    }
  }
}
