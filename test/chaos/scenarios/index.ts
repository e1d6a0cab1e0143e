import type { Scenario } from "../scenario.ts";
import * as membership from "./membership.ts";
import * as network from "./network.ts";
import * as power from "./power.ts";
import * as processes from "./processes.ts";
import * as storage from "./storage.ts";
import * as storm from "./storm.ts";

export const SCENARIOS: readonly Scenario[] = [processes, network, power, storage, membership, storm].flatMap((file) =>
  Object.values(file),
);

/** What every change of the product has to pass: one of each kind of fault, in four minutes. */
export const CI: readonly string[] = [
  "kill-leader",
  "isolate-leader",
  "stop-leader-daemon",
  "one-ring",
  "power-off-all",
  "member-replaced",
];
