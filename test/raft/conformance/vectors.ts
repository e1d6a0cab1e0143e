import { type LogIndex, logIndex, type MemberId, memberId, seededRandom, term } from "../../../src/core/base/index.ts";
import { coreOf } from "../../../src/core/raft/core.ts";
import {
  type Configuration,
  createRaft,
  type Entry,
  emptyConfiguration,
  type Message,
  type RaftCore,
  type RaftOptions,
  type Ready,
} from "../../../src/core/raft/index.ts";
import { advanceCommit } from "../../../src/core/raft/replication.ts";
import { startServer } from "../../../src/core/raft/state.ts";
import { canonical } from "./report.ts";

export type VectorCase = { readonly id: string; readonly kind: string; readonly expect?: Readonly<Record<string, unknown>> } & Readonly<
  Record<string, unknown>
>;

type Core = RaftCore<string>;
const BOOT = 1;

function entriesOf(terms: readonly number[]): Entry<string>[] {
  return terms.map((one, at) => ({ term: term(one), index: logIndex(at + 1), kind: "data", data: `${one}` }));
}

function oneVoteEach(size: number): Configuration {
  const voters = new Map(Array.from({ length: size }, (_, at) => [memberId(at + 1), 1] as const));
  return { ...emptyConfiguration(), voters };
}

type Start = {
  readonly id: number;
  readonly size: number;
  readonly term: number;
  readonly vote?: number | null;
  readonly log: readonly number[];
  readonly commit?: number;
};

/** A server with a given log. Its configuration comes from a snapshot at index 0. */
function optionsOf(start: Start): RaftOptions<string> {
  return {
    id: memberId(start.id),
    boot: BOOT,
    startMs: 0,
    random: seededRandom(7),
    restored: {
      hard: { term: term(start.term), vote: start.vote == null ? null : memberId(start.vote), commit: logIndex(start.commit ?? 0) },
      mark: { term: term(0), index: logIndex(0) },
      snapshot: { last: { term: term(0), index: logIndex(0) }, configuration: oneVoteEach(start.size), sizeBytes: 0, hash: "" },
      entries: entriesOf(start.log),
      recovering: false,
    },
    sizeOf: (text) => text.length,
    preVote: false,
    checkQuorum: false,
    restartWait: false,
  };
}

function give(core: Core, from: number, message: Record<string, unknown>): void {
  core.step({ kind: "message", nowMs: 0, from: memberId(from), message: { boot: BOOT, ...message } as Message<string> });
}

/** Does all the host's duties at once; returns what it sent and wrote. */
function drain(core: Core): Ready<string>[] {
  const done: Ready<string>[] = [];
  for (let turn = 0; turn < 50; turn += 1) {
    const ready = core.ready();
    if (ready.ticket === null && ready.sendNow.length + ready.sendAfter.length + ready.commit.length === 0) return done;
    done.push(ready);
    if (ready.ticket !== null) core.step({ kind: "stored", nowMs: 0, ticket: ready.ticket });
    const last = ready.commit.at(-1);
    if (last !== undefined) core.step({ kind: "applied", index: last.index });
  }
  throw new Error("the core never comes to rest");
}

function sent(readies: readonly Ready<string>[]): { readonly to: MemberId; readonly message: Message<string> }[] {
  return readies.flatMap((ready) => [...ready.sendNow, ...ready.sendAfter]);
}

function terms(core: Core, to: LogIndex): number[] {
  return core.entriesFrom(logIndex(1), to).map((entry) => entry.term);
}

/** Makes server 1 leader in the term after its own by granted votes of `voters`. */
function elect(core: Core, voters: readonly number[]): Ready<string>[] {
  core.step({ kind: "campaign", nowMs: 0 });
  drain(core);
  for (const from of voters) give(core, from, { kind: "voteReply", term: core.status().term, granted: true, reason: null });
  return drain(core);
}

/** Carries messages between two servers until nothing moves. */
function exchange(a: Core, b: Core, first: readonly Ready<string>[]): void {
  let fromA = sent(first);
  for (let turn = 0; turn < 200 && fromA.length > 0; turn += 1) {
    for (const one of fromA) if (one.to === 2) b.step({ kind: "message", nowMs: 0, from: memberId(1), message: one.message });
    for (const one of sent(drain(b))) if (one.to === 1) a.step({ kind: "message", nowMs: 0, from: memberId(2), message: one.message });
    fromA = sent(drain(a)).filter((one) => one.to === 2);
  }
}

type Numbers = readonly number[];
const runners: Readonly<Record<string, (one: VectorCase) => unknown>> = {
  "commit-rule": (one) => {
    const match = one["match"] as Numbers;
    const server = startServer(optionsOf({ id: 1, size: match.length, term: one["term"] as number, log: one["log"] as Numbers }));
    coreOf(server);
    server.role = "leader";
    server.leadership = {
      sinceMs: 0,
      round: 0,
      rounds: [],
      confirmedRound: 0,
      quorumRoundMs: null,
      nextHeartbeatMs: 0,
      hintDueMs: null,
      leaseRevoked: false,
      transfer: null,
      change: null,
      leave: null,
      reads: [],
      uncommittedBytes: 0,
    };
    server.log.stored = logIndex(match[0] ?? 0);
    for (const peer of server.peers.values()) peer.match = logIndex(match[peer.id - 1] ?? 0);
    advanceCommit(server);
    return { commit: server.commit };
  },
  "vote-log": (one) => {
    const request = one["request"] as Record<string, number>;
    const core = createRaft(optionsOf({ id: 1, size: 2, term: one["voterTerm"] as number, log: one["log"] as Numbers }));
    give(core, 2, { kind: "vote", configIndex: 0, transfer: false, ...request });
    return voteAnswer(core);
  },
  "vote-once": (one) => {
    const request = one["request"] as Record<string, number>;
    const { from, ...rest } = request;
    const core = createRaft(optionsOf({ id: 1, size: 3, term: one["term"] as number, vote: one["vote"] as number | null, log: [] }));
    give(core, from ?? 0, { kind: "vote", configIndex: 0, transfer: false, ...rest });
    return voteAnswer(core);
  },
  "election-round": (one) => {
    const core = createRaft(optionsOf({ id: one["candidate"] as number, size: one["size"] as number, term: 0, log: [] }));
    core.step({ kind: "campaign", nowMs: 0 });
    drain(core);
    for (const [from, granted] of Object.entries(one["replies"] as Record<string, boolean>)) {
      give(core, Number(from), { kind: "voteReply", term: 1, granted, reason: null });
    }
    return { role: core.status().role, term: core.status().term };
  },
  "append-check": (one) => {
    const { entries: _none, ...request } = one["request"] as Record<string, unknown>;
    const core = createRaft(
      optionsOf({ id: 1, size: 2, term: one["term"] as number, log: one["log"] as Numbers, commit: one["commit"] as number }),
    );
    give(core, 2, { kind: "append", commit: 0, entries: [], ...request });
    return appendAnswer(core);
  },
  "append-conflict": (one) => {
    const request = one["request"] as { prevIndex: number; prevTerm: number; entryTerms: Numbers };
    const core = createRaft(optionsOf({ id: 1, size: 2, term: one["term"] as number, log: one["log"] as Numbers }));
    const { prevIndex, prevTerm } = request;
    const entries = entriesOf(request.entryTerms).map((entry, at) => ({ ...entry, index: logIndex(prevIndex + 1 + at) }));
    give(core, 2, { kind: "append", term: one["term"], prevIndex, prevTerm, commit: 0, entries });
    const written = drain(core).flatMap((ready) => ready.entries.map((entry) => entry.term));
    return { log: terms(core, core.status().last.index), written };
  },
  "leader-sync": (one) => {
    const leader = createRaft(optionsOf({ id: 1, size: 3, term: one["leaderTerm"] as number, log: one["leader"] as Numbers }));
    const follower = createRaft(optionsOf({ id: 2, size: 3, term: one["followerTerm"] as number, log: one["follower"] as Numbers }));
    exchange(leader, follower, elect(leader, [3]));
    leader.step({ kind: "propose", context: 1, commands: ["x"] });
    exchange(leader, follower, drain(leader));
    const logs = [leader, follower].map((core) => canonical(terms(core, core.status().last.index)));
    return { bothLogs: logs[0] === logs[1] ? terms(leader, leader.status().last.index) : logs };
  },
  "own-term-only": (one) => {
    const core = createRaft(
      optionsOf({ id: 1, size: one["size"] as number, term: (one["leaderTerm"] as number) - 1, log: one["log"] as Numbers }),
    );
    elect(core, [2]);
    for (let n = 0; n < (one["proposals"] as number); n += 1) core.step({ kind: "propose", context: n, commands: ["x"] });
    drain(core);
    const acked = { ok: true, match: one["ack"], prevIndex: 0, hintIndex: 0, hintTerm: 0, storeAgeMs: 0, state: "normal" };
    give(core, 2, { kind: "appendReply", term: core.status().term, ...acked });
    return { commit: core.status().commit };
  },
  "reject-hint": (one) => {
    const leaderLog = one["leader"] as Numbers;
    const followerLog = one["follower"] as Numbers;
    const newest = Math.max(...leaderLog, ...followerLog);
    const leader = createRaft(optionsOf({ id: 1, size: 3, term: newest, log: leaderLog }));
    const follower = createRaft(optionsOf({ id: 2, size: 3, term: newest, log: followerLog }));
    for (const first of sent(elect(leader, [3]))) {
      if (first.to === 2) follower.step({ kind: "message", nowMs: 0, from: memberId(1), message: first.message });
    }
    const refusal = sent(drain(follower)).find((answer) => answer.message.kind === "appendReply")?.message;
    if (refusal?.kind !== "appendReply" || refusal.ok) return { hint: null };
    leader.step({ kind: "message", nowMs: 0, from: memberId(2), message: refusal });
    const next = sent(drain(leader)).find((again) => again.to === 2)?.message;
    const nextPrev = next?.kind === "append" ? { term: next.prevTerm, index: next.prevIndex } : null;
    return { hint: { term: refusal.hintTerm, index: refusal.hintIndex }, nextPrev };
  },
};

function voteAnswer(core: Core): unknown {
  const reply = sent(drain(core)).find((one) => one.message.kind === "voteReply")?.message;
  return { granted: reply?.kind === "voteReply" && reply.granted };
}

function appendAnswer(core: Core): unknown {
  const reply = sent(drain(core)).find((one) => one.message.kind === "appendReply")?.message;
  if (reply?.kind !== "appendReply") return { accepted: null };
  return reply.ok ? { accepted: true, match: reply.match } : { accepted: false, hint: { term: reply.hintTerm, index: reply.hintIndex } };
}

/** Writes the configuration into a snapshot's description, starts a server from it and reads it back. */
function roundTrip(one: VectorCase): string | null {
  const json = one["config"] as { voters: number[]; outgoing: number[]; learners: number[]; learnersNext: number[]; autoLeave: boolean };
  const configuration: Configuration = {
    ...emptyConfiguration(),
    voters: new Map(json.voters.map((id) => [memberId(id), 1] as const)),
    outgoing: new Map(json.outgoing.map((id) => [memberId(id), 1] as const)),
    learners: new Set(json.learners.map(memberId)),
    learnersNext: new Set(json.learnersNext.map(memberId)),
    autoLeave: json.autoLeave,
  };
  const options = optionsOf({ id: 9, size: 1, term: 3, log: [] });
  const last = { term: term(3), index: logIndex(8) };
  const snapshot = { last, configuration, sizeBytes: 0, hash: "h" };
  const core = createRaft({
    ...options,
    restored: { ...options.restored, mark: last, snapshot, hard: { term: term(3), vote: null, commit: last.index } },
  });
  const back = core.configurationAt(last.index);
  const same = { voters: [...back.voters.keys()], outgoing: [...back.outgoing.keys()], learners: [...back.learners] };
  const got = canonical({ ...same, learnersNext: [...back.learnersNext], autoLeave: back.autoLeave });
  return got === canonical(json) ? null : `expected ${canonical(json)}, got ${got}`;
}

export function runVector(one: VectorCase): string | null {
  if (one.kind === "config-roundtrip") return roundTrip(one);
  const runner = runners[one.kind];
  if (runner === undefined) return `unknown kind ${one.kind}`;
  const got = canonical(runner(one));
  return got === canonical(one.expect) ? null : `expected ${canonical(one.expect)}, got ${got}`;
}
