import type { Scenario } from "../scenario.ts";
import * as damage from "./damage.ts";
import * as fencing from "./fencing.ts";
import * as membership from "./membership.ts";
import * as network from "./network.ts";
import * as pauses from "./pauses.ts";
import * as planned from "./planned.ts";
import * as power from "./power.ts";
import * as processes from "./processes.ts";
import * as storage from "./storage.ts";
import * as storm from "./storm.ts";
import * as wire from "./wire.ts";
import * as witness from "./witness.ts";

const FILES = [processes, pauses, planned, network, wire, power, fencing, storage, damage, membership, witness, storm];
export const SCENARIOS: readonly Scenario[] = FILES.flatMap((file) => Object.values(file));

/** What every change of the product has to pass: one of each kind of fault, in four minutes. */
export const CI: readonly string[] = [
  "kill-leader",
  "isolate-leader",
  "stop-leader-daemon",
  "one-ring",
  "power-off-all",
  "member-replaced",
];
