import { type LogIndex, logIndex, memberId } from "../../../src/core/base/index.ts";
import {
  type ConfigChange,
  type Configuration,
  committedIndex,
  emptyConfiguration,
  enterJoint,
  type Half,
  leaveJoint,
  simpleChange,
  voteResult,
} from "../../../src/core/raft/index.ts";
import { firstNext } from "../../../src/core/raft/progress.ts";
import { canonical } from "./report.ts";

type HalfJson = readonly number[] | Readonly<Record<string, number>>;
export type QuorumCase = {
  readonly id: string;
  readonly kind: "commit" | "vote";
  readonly voters: HalfJson;
  readonly outgoing?: HalfJson;
  readonly given: Readonly<Record<string, number | boolean>>;
  readonly expect: number | string;
};

function halfOf(json: HalfJson | undefined): Half {
  if (json === undefined) return new Map();
  if (Array.isArray(json)) return new Map((json as readonly number[]).map((id) => [memberId(id), 1] as const));
  return new Map(Object.entries(json as Record<string, number>).map(([id, votes]) => [memberId(Number(id)), votes] as const));
}

function scaled(half: Half, factor: number): Half {
  return new Map([...half].map(([id, votes]) => [id, votes * factor] as const));
}

function decide(one: QuorumCase, voters: Half, outgoing: Half, given: QuorumCase["given"]): number | string {
  if (one.kind === "vote") {
    const answers = new Map(Object.entries(given).map(([id, granted]) => [memberId(Number(id)), granted === true] as const));
    return voteResult({ voters, outgoing }, answers);
  }
  const known = new Map(Object.entries(given).map(([id, index]) => [memberId(Number(id)), logIndex(Number(index))] as const));
  const reached: LogIndex = committedIndex({ voters, outgoing }, (id) => known.get(id));
  return Number.isFinite(reached) ? reached : "infinite";
}

/** One decision with the extra checks that the data's description asks for. Null = as expected. */
export function runQuorum(one: QuorumCase): string | null {
  if (one.kind !== "commit" && one.kind !== "vote") return `unknown kind ${String((one as { readonly kind: unknown }).kind)}`;
  const voters = halfOf(one.voters);
  const outgoing = halfOf(one.outgoing);
  const variants: readonly (readonly [string, number | string])[] = [
    ["plain", decide(one, voters, outgoing, one.given)],
    ["halves swapped", decide(one, outgoing, voters, one.given)],
    ["votes times 7", decide(one, scaled(voters, 7), scaled(outgoing, 7), one.given)],
    ...(outgoing.size === 0
      ? ([
          ["without second half", decide(one, voters, new Map(), one.given)],
          ["same half twice", decide(one, voters, voters, one.given)],
        ] as const)
      : []),
    ...lowered(one, voters, outgoing),
  ];
  for (const [name, got] of variants) if (got !== one.expect) return `${name}: expected ${one.expect}, got ${got}`;
  return null;
}

/** Each index above the answer, lowered to the answer, halfway and just below itself, must change nothing. */
function lowered(one: QuorumCase, voters: Half, outgoing: Half): readonly (readonly [string, number | string])[] {
  const answer = one.expect;
  if (one.kind !== "commit" || typeof answer !== "number") return [];
  return Object.entries(one.given).flatMap(([id, index]) => {
    const value = Number(index);
    if (value <= answer) return [];
    const lower = new Set([answer, Math.floor((answer + value) / 2), value - 1]);
    return [...lower].map((to) => [`index of ${id} lowered to ${to}`, decide(one, voters, outgoing, { ...one.given, [id]: to })] as const);
  });
}

type ChangeJson = { readonly op: "voter" | "learner" | "remove" | "touch"; readonly id: number; readonly votes?: number };
export type ConfigCase = {
  readonly id: string;
  readonly steps: readonly {
    readonly do: "simple" | "enter" | "leave";
    readonly autoLeave?: boolean;
    readonly changes?: readonly ChangeJson[];
    readonly expect: Readonly<Record<string, unknown>>;
  }[];
};

/** Translates the data's changes; id 0 and `touch` have no effect. */
export function changesOf(changes: readonly ChangeJson[] | undefined): readonly ConfigChange[] {
  return (changes ?? []).flatMap((change): ConfigChange[] => {
    const id = memberId(change.id);
    if (change.id === 0 || change.op === "touch") return [];
    if (change.op === "voter") return [{ op: "voter", id, votes: change.votes ?? 1 }];
    if (change.op !== "learner" && change.op !== "remove") throw new Error(`unknown change ${String(change.op)}`);
    return [change.op === "learner" ? { op: "learner", id } : { op: "remove", id }];
  });
}

export function configJson(configuration: Configuration): Record<string, unknown> {
  return {
    voters: [...configuration.voters.keys()],
    outgoing: [...configuration.outgoing.keys()],
    learners: [...configuration.learners],
    learnersNext: [...configuration.learnersNext],
    autoLeave: configuration.autoLeave,
  };
}

export function runConfigChange(one: ConfigCase): string | null {
  let current = emptyConfiguration();
  const next = new Map<number, number>();
  if (one.steps.length === 0) return "no steps";
  for (const [ordinal, step] of one.steps.entries()) {
    if (!["simple", "enter", "leave"].includes(step.do)) return `step ${ordinal}: unknown step ${step.do}`;
    const changes = changesOf(step.changes);
    const result =
      step.do === "leave"
        ? leaveJoint(current)
        : step.do === "enter"
          ? enterJoint(current, changes, step.autoLeave ?? false)
          : simpleChange(current, changes);
    if (typeof result === "string") {
      if (step.expect["error"] !== result) return `step ${ordinal}: got error ${result}, expected ${canonical(step.expect)}`;
      continue;
    }
    current = result;
    const tracked = new Set([...current.voters.keys(), ...current.outgoing.keys(), ...current.learners]);
    for (const id of tracked) if (!next.has(id)) next.set(id, firstNext(logIndex(ordinal)));
    for (const id of next.keys()) if (!tracked.has(memberId(id))) next.delete(id);
    const members = Object.fromEntries([...next].map(([id, value]) => [id, { next: value, learner: current.learners.has(memberId(id)) }]));
    const got = canonical({ ...configJson(current), members });
    if (got !== canonical(step.expect)) return `step ${ordinal}: expected ${canonical(step.expect)}, got ${got}`;
  }
  return null;
}
