import { type Random, seededRandom } from "../../core/base/index.ts";

/** One member of the cluster to be. Votes 0: it stays a learner. */
export type MemberPlan = { readonly votes: number; readonly witness: boolean };

/** Something that happens to the cluster: a fault, or an action of an operator or a program. It draws from its own seed. */
export type PlannedEvent = { readonly name: string; readonly kind: "fault" | "work"; readonly afterMs: number; readonly seed: number };

/** All that a seed decides before the run begins: it can be read, and cut down to what a failure needs. */
export type RunPlan = {
  readonly seed: number;
  readonly minutes: number;
  readonly members: readonly MemberPlan[];
  readonly device: boolean;
  readonly selfFence: "reset" | "kill";
  readonly rings: number;
  readonly electionMs: number;
  readonly nodeLossMs: number;
  readonly leaseReads: boolean;
  /** A snapshot is taken when the log holds this much, bytes; this many entries stay behind it. */
  readonly snapshotLogBytes: number;
  readonly keepEntries: number;
  readonly events: readonly PlannedEvent[];
};

/** Mean distance of faults, and of what operators and programs do; milliseconds. */
const FAULT_EVERY_MS = 4_000;
const WORK_EVERY_MS = 700;

/** Sizes and how often each is drawn: mostly what people run, now and then everything that is allowed. */
const SIZES: readonly (readonly [size: number, weight: number])[] = [
  [3, 10],
  [5, 4],
  [2, 2],
  [4, 2],
  [1, 1],
  [6, 1],
  [7, 1],
];

export function drawPlan(seed: number, minutes: number): RunPlan {
  const random = seededRandom(seed ^ 0x5eed);
  const size = drawSize(random);
  return {
    seed,
    minutes,
    members: drawMembers(random, size),
    device: random.below(3) > 0,
    selfFence: random.below(2) === 0 ? "reset" : "kill",
    rings: random.below(3) === 0 ? 2 : 1,
    electionMs: [300, 300, 150, 400][random.below(4)] ?? 300,
    nodeLossMs: [800, 800, 500, 2_000][random.below(4)] ?? 800,
    leaseReads: random.below(2) === 0,
    snapshotLogBytes: [8 * 1024 * 1024, 64 * 1024, 16 * 1024][random.below(3)] ?? 64 * 1024,
    keepEntries: [1_024, 16, 0][random.below(3)] ?? 16,
    events: [
      ...drawEvents(random, "fault", FAULT_EVERY_MS, minutes * 60_000),
      ...drawEvents(random, "work", WORK_EVERY_MS, minutes * 60_000),
    ].sort((a, b) => a.afterMs - b.afterMs || (a.name < b.name ? -1 : 1)),
  };
}

function drawSize(random: Random): number {
  let draw = random.below(SIZES.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [size, weight] of SIZES) {
    draw -= weight;
    if (draw < 0) return size;
  }
  return 3;
}

/** The first member founds the cluster and can lead it; the last may be a witness, one in the middle a learner. */
function drawMembers(random: Random, size: number): readonly MemberPlan[] {
  const weighted = random.below(4) === 0;
  const witness = size >= 2 && random.below(4) === 0;
  const learner = size >= 4 && random.below(4) === 0;
  return Array.from({ length: size }, (_, at) => {
    const votes = weighted ? 1 + random.below(3) : 1;
    return { votes: learner && at === 1 ? 0 : votes, witness: witness && at === size - 1 };
  });
}

function drawEvents(random: Random, kind: PlannedEvent["kind"], meanMs: number, endMs: number): readonly PlannedEvent[] {
  const events: PlannedEvent[] = [];
  let atMs = random.fraction() * 2 * meanMs;
  while (atMs < endMs) {
    events.push({ name: `${kind}-${events.length + 1}`, kind, afterMs: atMs, seed: random.nextUint32() });
    atMs += random.fraction() * 2 * meanMs;
  }
  return events;
}

/** A cluster of `size` equal members with default timing, and nothing that happens to it by itself. */
export function quietPlan(seed: number, size: number): RunPlan {
  return {
    seed,
    minutes: 0,
    members: Array.from({ length: size }, () => ({ votes: 1, witness: false })),
    device: false,
    selfFence: "kill",
    rings: 1,
    electionMs: 300,
    nodeLossMs: 800,
    leaseReads: false,
    snapshotLogBytes: 8 * 1024 * 1024,
    keepEntries: 1_024,
    events: [],
  };
}

export function describePlan(plan: RunPlan): string {
  const { members, device, selfFence, rings, electionMs, nodeLossMs, leaseReads, snapshotLogBytes } = plan;
  const who = members.map(({ votes, witness }) => `${votes}${witness ? "w" : ""}`).join("+");
  const what = [`seed ${plan.seed}: votes ${who}`, device ? "a fence device" : "no fence device", `self-fence ${selfFence}`];
  what.push(`${rings} ring${rings > 1 ? "s" : ""}`, `E ${electionMs} ms`, `F ${nodeLossMs} ms`);
  if (leaseReads) what.push("lease reads");
  what.push(`snapshots at ${snapshotLogBytes} bytes`);
  return what.join(", ");
}
