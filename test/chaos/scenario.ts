import type { Random } from "../../src/core/base/index.ts";
import type { ClusterOptions, LabCluster } from "./cluster.ts";
import type { Explained } from "./logs.ts";
import type { Workload } from "./workload.ts";

/** What a scenario has in hand. */
export type Stage = {
  readonly cluster: LabCluster;
  readonly workload: Workload;
  readonly random: Random;
  /** Returns when `count` more changes were acknowledged, by anybody; fails after `timeoutMs`. */
  readonly changesGoOn: (count?: number, timeoutMs?: number) => Promise<void>;
  /** Node on which a resource runs by the ledger; empty when it runs nowhere. */
  readonly holder: (resource: string) => string;
};

/**
 * Faults under a steady workload of configuration changes, on three hosts with the resources `d1`, `d2`, `d3` and a
 * power switch. After the faults everything is healed. What must hold always: no resource ever ran twice, nothing
 * acknowledged is lost, the history is linearizable, all nodes end with one configuration, the cluster is idle with every
 * resource running, every error in the logs is explained. `holds` adds to it.
 */
export type Scenario = {
  readonly name: string;
  /** One sentence: what happens and what must come of it. */
  readonly story: string;
  readonly faults: (stage: Stage) => Promise<void>;
  readonly holds?: {
    /** Nodes that may have been fenced: none, or those that the scenario has harmed. Absent: any. */
    readonly fenced?: "nobody" | "harmed";
    /** No resource was stopped, or started twice. */
    readonly untouched?: true;
    /** The term is that of the beginning. */
    readonly noElection?: true;
  };
  /** What explains errors in the logs; absent: a lost majority does, unless nobody may be fenced or touched. */
  readonly explained?: readonly Explained[];
  /** There is no power switch: silent nodes are waited for (Tsafe). */
  readonly noPowerSwitch?: true;
  readonly hosts?: () => Promise<Partial<ClusterOptions>>;
  /** Why it cannot be run here, or null. */
  readonly skip?: () => string | null;
};

/**
 * For scenarios in which nobody may be given up: on a busy machine a daemon needs seconds to start, and a whole host may be
 * silent for longer than the product's 800 ms; that is not what they are about.
 */
export const PATIENT = { nodeLossMs: 5_000, selfFenceMs: 30_000 };
export const patient = async (): Promise<Partial<ClusterOptions>> => ({ timing: PATIENT });
