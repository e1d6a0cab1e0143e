import assert from "node:assert/strict";
import { test } from "node:test";
import { logIndex, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import {
  createRaft,
  type Entry,
  emptyConfiguration,
  forceNewCluster,
  type Input,
  type Message,
  mergeReady,
  type RaftCore,
  type RaftOptions,
  type Ready,
  traceEvent,
} from "../../src/core/raft/index.ts";
import { World } from "./world.ts";

const E = 300;
type Body = { readonly kind: Message<string>["kind"] } & Record<string, unknown>;

/** One server of a cluster of `votes`, whose host does everything at once; the test plays the other members. */
class Lone {
  readonly core: RaftCore<string>;
  now = 0;
  out: { readonly to: number; readonly message: Message<string> }[] = [];
  committed: Entry<string>[] = [];
  answers: Ready<string>["answers"][number][] = [];
  reads: Ready<string>["reads"][number][] = [];
  holdWrites = false;
  held: Ready<string>[] = [];

  constructor(votes: readonly number[], options: Partial<RaftOptions<string>> = {}) {
    const zero = { term: term(0), index: logIndex(0) };
    const configuration = { ...emptyConfiguration(), voters: new Map(votes.map((count, at) => [memberId(at + 1), count] as const)) };
    this.core = createRaft<string>({
      id: memberId(1),
      boot: 7,
      startMs: 0,
      random: seededRandom(1),
      restored: {
        hard: { term: term(1), vote: null, commit: logIndex(0) },
        mark: zero,
        snapshot: { last: zero, configuration, sizeBytes: 0, hash: "" },
        entries: [],
        recovering: false,
      },
      sizeOf: (data) => data.length,
      restartWait: false,
      ...options,
    });
  }

  step(input: Input<string>): void {
    this.core.step(input);
    this.serve();
  }

  serve(): void {
    for (let turn = 0; turn < 20; turn += 1) {
      const ready = this.core.ready();
      this.out.push(...ready.sendNow);
      this.answers.push(...ready.answers);
      this.reads.push(...ready.reads);
      this.committed.push(...ready.commit);
      const last = ready.commit.at(-1);
      if (last !== undefined) this.core.step({ kind: "applied", index: last.index });
      if (ready.ticket !== null) this.held.push(ready);
      else this.out.push(...ready.sendAfter);
      if (!this.holdWrites) this.finishWrites();
      if (ready.ticket === null && ready.commit.length === 0 && ready.sendNow.length === 0) return;
    }
  }

  finishWrites(): void {
    for (const ready of this.held.splice(0)) {
      this.out.push(...ready.sendAfter);
      if (ready.ticket !== null) this.core.step({ kind: "stored", nowMs: this.now, ticket: ready.ticket });
    }
  }

  get(from: number, body: Body): void {
    const message = { term: this.core.status().term, boot: 1, ...body } as unknown as Message<string>;
    this.step({ kind: "message", nowMs: this.now, from: memberId(from), message });
  }

  tick(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 10;
      this.step({ kind: "tick", nowMs: this.now });
    }
  }

  /** Everything sent since the last look, of one kind. */
  sent<K extends Message<string>["kind"]>(kind: K): Extract<Message<string>, { kind: K }>[] {
    const found = this.out.filter((one) => one.message.kind === kind).map((one) => one.message);
    this.out = [];
    return found as Extract<Message<string>, { kind: K }>[];
  }

  ack(from: number, match = this.core.status().last.index): void {
    this.get(from, { kind: "appendReply", ok: true, match, prevIndex: 0, hintIndex: 0, hintTerm: 0, storeAgeMs: 0, state: "normal" });
  }

  beat(from: number, over: Record<string, unknown> = {}): void {
    this.get(from, { kind: "heartbeatReply", round: 1e9, nonceMs: 5, storeAgeMs: 0, applied: 0, state: "normal", ...over });
  }

  lead(): void {
    this.step({ kind: "campaign", nowMs: this.now });
    this.get(2, { kind: "preVoteReply", forTerm: this.core.status().term + 1, granted: true, reason: null });
    this.get(2, { kind: "voteReply", granted: true, reason: null });
    assert.equal(this.core.status().role, "leader");
    this.ack(2);
    assert.equal(this.core.status().ready, true);
    this.out = [];
  }
}

const vote = (lone: Lone, over: Record<string, unknown> = {}): Body => {
  return { kind: "vote", term: lone.core.status().term + 1, lastIndex: 9, lastTerm: 9, configIndex: 0, transfer: false, ...over };
};
const heartbeat = (over: Record<string, unknown> = {}): Body => {
  return { kind: "heartbeat", commit: 0, leaderCommit: 0, round: 1, quorumAgeMs: null, echoMs: null, echoBoot: 0, ...over };
};

test("feature 1: a vote is durable before its answer leaves, and the second candidate of a term gets none", () => {
  const lone = new Lone([1, 1, 1]);
  lone.holdWrites = true;
  lone.get(2, vote(lone));
  assert.equal(lone.sent("voteReply").length, 0);
  lone.finishWrites();
  assert.deepEqual(
    lone.sent("voteReply").map((one) => one.granted),
    [true],
  );
  lone.holdWrites = false;
  lone.get(3, vote(lone, { term: 2 }));
  assert.deepEqual(
    lone.sent("voteReply").map((one) => [one.granted, one.reason]),
    [[false, "voted"]],
  );
});

test("feature 5: who heard a leader within E ignores elections and their terms, but not a transfer", () => {
  const lone = new Lone([1, 1, 1]);
  lone.get(2, heartbeat());
  lone.now += E - 1;
  lone.get(3, vote(lone));
  lone.get(3, { kind: "preVote", forTerm: 2, lastIndex: 9, lastTerm: 9, configIndex: 0 });
  assert.deepEqual([lone.out.filter((one) => one.to === 3).length, lone.core.status().term], [0, 1]);
  lone.get(3, vote(lone, { transfer: true }));
  assert.deepEqual(
    lone.sent("voteReply").map((one) => one.granted),
    [true],
  );
  const later = new Lone([1, 1, 1]);
  later.get(2, heartbeat());
  later.now += E;
  later.get(3, vote(later));
  assert.deepEqual(
    later.sent("voteReply").map((one) => one.granted),
    [true],
  );
});

test("feature 5: a restarted voter grants nothing for E", () => {
  const lone = new Lone([1, 1, 1], { restartWait: true });
  lone.get(3, vote(lone));
  assert.equal(lone.sent("voteReply").length, 0);
  lone.now = E;
  lone.get(3, vote(lone));
  assert.equal(lone.sent("voteReply").length, 1);
});

test("feature 5: the wait after a restart holds for requests of the present term too", () => {
  const lone = new Lone([1, 1, 1], { restartWait: true });
  lone.get(3, vote(lone, { term: 1 }));
  assert.deepEqual([lone.sent("voteReply").length, lone.core.status().vote], [0, null]);
  lone.now = E;
  lone.get(3, vote(lone, { term: 1 }));
  assert.equal(lone.sent("voteReply").length, 1);
});

test("feature 17: who answered the round of a leader elects nobody for E, also when it has learnt the newer term otherwise", () => {
  const lone = new Lone([1, 1, 1], { leaseReads: true });
  lone.get(2, heartbeat());
  // Member 3 stands in term 2: its refusal of a pre-vote overtakes its request, which waits for a write.
  lone.get(3, { kind: "preVoteReply", term: 2, forTerm: 2, granted: false, reason: "term" });
  lone.now += E - 1;
  lone.get(3, vote(lone, { term: 2 }));
  assert.deepEqual([lone.sent("voteReply").length, lone.core.status().vote], [0, null]);
  lone.get(3, vote(lone, { term: 2, transfer: true }));
  assert.deepEqual(
    lone.sent("voteReply").map((one) => one.granted),
    [true],
  );
});

test("feature 3: an old leader and an old pre-candidate learn the newer term", () => {
  const lone = new Lone([1, 1, 1]);
  lone.get(2, heartbeat({ term: 5 }));
  lone.now += E;
  lone.out = [];
  lone.get(3, heartbeat({ term: 3 }));
  assert.deepEqual(
    lone.sent("appendReply").map((one) => [one.ok, one.term]),
    [[false, 5]],
  );
  lone.get(3, { kind: "preVote", term: 2, forTerm: 3, lastIndex: 9, lastTerm: 9, configIndex: 0 });
  assert.deepEqual(
    lone.sent("preVoteReply").map((one) => [one.granted, one.term]),
    [[false, 5]],
  );
});

test("feature 4: a leader without a quorum of votes for E steps down, whatever the number of nodes that answer", () => {
  const lone = new Lone([1, 3, 1, 1]);
  lone.lead();
  for (let n = 0; n < 5; n += 1) {
    lone.tick(100);
    lone.beat(3);
    lone.beat(4);
  }
  assert.deepEqual([lone.core.status().role, lone.core.status().leader], ["follower", null]);
});

test("feature 13: the leader counts itself only after its own write, and commits without it when others suffice", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  lone.ack(3);
  lone.out = [];
  lone.holdWrites = true;
  lone.step({ kind: "propose", context: 1, commands: ["a"] });
  assert.equal(lone.sent("append").length, 2, "entries leave while the own write is under way");
  lone.ack(2);
  assert.equal(lone.core.status().commit, 1);
  lone.ack(3);
  assert.equal(lone.core.status().commit, 2);
});

test("feature 15: a commit index with nothing queued goes out at once", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  lone.ack(3);
  lone.step({ kind: "propose", context: 1, commands: ["a"] });
  lone.out = [];
  lone.ack(2);
  const told = lone.sent("append");
  assert.ok(told.some((one) => one.entries.length === 0 && one.commit === 2));
});

test("feature 15: with a delay the commit index waits for an append to ride on, and goes out alone when none comes", () => {
  const lone = new Lone([1, 1, 1], { timing: { commitHintMs: 3 } });
  lone.lead();
  lone.ack(3);
  lone.tick(10);
  lone.out = [];
  lone.step({ kind: "propose", context: 1, commands: ["a"] });
  lone.ack(2);
  assert.deepEqual(
    lone.sent("append").map((one) => [one.entries.length, one.commit]),
    [
      [1, 1],
      [1, 1],
    ],
  );
  assert.equal(lone.core.nextWakeMs(), lone.now + 3);
  lone.step({ kind: "propose", context: 2, commands: ["b"] });
  assert.deepEqual(
    lone.sent("append").map((one) => [one.entries.length, one.commit]),
    [
      [1, 2],
      [1, 2],
    ],
    "the next append carries it",
  );
  lone.ack(2);
  lone.now += 3;
  lone.step({ kind: "tick", nowMs: lone.now });
  assert.deepEqual(
    lone.sent("append").map((one) => [one.entries.length, one.commit]),
    [
      [0, 3],
      [0, 3],
    ],
  );
});

test("feature 14: behind two appends in flight what is not full gathers, and leaves with the next answer", () => {
  const lone = new Lone([1, 1], { limits: { inflightPartial: 2, appendBytes: 200 } });
  lone.lead();
  const propose = (text: string): void => lone.step({ kind: "propose", context: 1, commands: [text] });
  for (const text of ["a", "b", "c", "d"]) propose(text);
  assert.deepEqual(
    lone.sent("append").map((one) => one.entries.length),
    [1, 1],
  );
  lone.ack(2, logIndex(2));
  assert.deepEqual(
    lone.sent("append").map((one) => one.entries.length),
    [2],
  );
  for (const text of ["e", "x".repeat(200)]) propose(text);
  assert.equal(lone.sent("append").flatMap((one) => one.entries).length, 2, "a full append does not wait");
});

test("feature 16: a read waits for a round that was sent after it, and is refused before the term's first commit", () => {
  const lone = new Lone([1, 1, 1]);
  lone.step({ kind: "readIndex", context: 1 });
  assert.deepEqual(
    lone.reads.map((one) => one.kind === "refused" && one.reason),
    ["no-leader"],
  );
  lone.lead();
  lone.tick(50);
  lone.step({ kind: "readIndex", context: 2 });
  const old = lone.core.status();
  assert.equal(lone.reads.length, 1, `nothing is confirmed yet (round of ${old.quorumRoundMs})`);
  lone.beat(2, { round: 1 });
  assert.equal(lone.reads.length, 1, "the round before the read does not count");
  lone.beat(2, { round: 2 });
  assert.deepEqual(lone.reads.at(-1), { kind: "ready", context: 2, index: 1, lease: false });
});

test("feature 17: a lease read needs the option, the caller's clock and a fresh round; a transfer ends it for the term", () => {
  const lone = new Lone([1, 1, 1], { leaseReads: true });
  lone.lead();
  lone.tick(50);
  lone.beat(2);
  const read = (context: number, nowMs: number): void => lone.step({ kind: "readIndex", context, nowMs });
  read(1, lone.now);
  assert.equal(lone.reads.at(-1)?.kind === "ready" && lone.reads.at(-1)?.context, 1);
  lone.step({ kind: "readIndex", context: 2 });
  assert.equal(lone.reads.length, 1, "without a clock no lease");
  lone.step({ kind: "transfer", context: 3, to: memberId(2) });
  assert.equal(lone.sent("timeoutNow").length, 1);
  assert.equal(lone.core.status().readLeaseUntilMs, null);
  lone.tick(E - 50);
  lone.beat(2);
  lone.tick(60);
  lone.beat(2);
  assert.equal(lone.core.status().transferTarget, null, "given up after one election timeout");
  assert.equal(lone.core.status().readLeaseUntilMs, null, "its target may still start an election");
  assert.deepEqual(lone.answers.at(-1), { kind: "transfer", context: 3, outcome: { kind: "refused", reason: "timed-out", leader: 1 } });
});

test("feature 10: no proposal is taken while leadership is being handed over", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  lone.step({ kind: "transfer", context: 1, to: memberId(3) });
  lone.step({ kind: "propose", context: 2, commands: ["a"] });
  assert.deepEqual(lone.answers.at(-1), { kind: "proposal", context: 2, outcome: { kind: "refused", reason: "transferring", leader: 1 } });
  assert.equal(lone.sent("timeoutNow").length, 0, "the target is behind");
  lone.ack(3);
  assert.equal(lone.sent("timeoutNow").length, 1);
});

test("feature 7: one change at a time, one-step changes never, and none before the term's first commit", () => {
  const lone = new Lone([1, 1, 1]);
  const change = (context: number, mode: "joint" | "simple" = "joint"): void =>
    lone.step({ kind: "proposeChange", context, request: { kind: "change", mode, changes: [{ op: "voter", id: memberId(1), votes: 3 }] } });
  lone.step({ kind: "campaign", nowMs: 0 });
  lone.get(2, { kind: "preVoteReply", forTerm: 2, granted: true, reason: null });
  lone.get(2, { kind: "voteReply", granted: true, reason: null });
  change(1);
  lone.ack(2);
  change(2, "simple");
  change(3);
  change(4);
  const reasons = lone.answers.map((one) => (one.kind === "change" && one.outcome.kind === "refused" ? one.outcome.reason : one.kind));
  assert.deepEqual(reasons, ["not-ready", "simple-disabled", "change-pending"]);
  assert.equal(lone.core.status().configuration.outgoing.size, 3, "in force when appended");
});

test("feature 8: a newcomer that never catches up fails the change with a reason and stays a learner", () => {
  const lone = new Lone([1, 1]);
  lone.lead();
  lone.step({
    kind: "proposeChange",
    context: 1,
    request: { kind: "change", mode: "joint", changes: [{ op: "voter", id: memberId(9), votes: 1 }] },
  });
  lone.ack(2);
  for (let n = 0; n < 80; n += 1) {
    lone.tick(100);
    lone.beat(2);
  }
  const outcome = lone.answers.at(-1);
  assert.ok(outcome?.kind === "change" && outcome.outcome.kind === "refused" && outcome.outcome.reason === "catch-up-failed");
  assert.ok(lone.core.status().configuration.learners.has(memberId(9)));
});

test("§6: what an earlier boot of a member says does not count, and a recovering member's match starts at 0", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  lone.step({ kind: "propose", context: 1, commands: ["a"] });
  lone.beat(2, { boot: 2, state: "recovering" });
  assert.equal(lone.core.status().peers.get(memberId(2))?.match, 0);
  lone.ack(2);
  assert.equal(lone.core.status().commit, 1, "an ack of boot 1 after boot 2 was heard");
  const recovering = { kind: "appendReply", boot: 2, ok: true, match: 2, prevIndex: 0, hintIndex: 0, hintTerm: 0, storeAgeMs: 0 } as const;
  lone.get(2, { ...recovering, state: "recovering" });
  assert.equal(lone.core.status().commit, 1, "a recovering member is not counted");
  lone.get(2, { ...recovering, state: "normal" });
  assert.equal(lone.core.status().commit, 2);
});

test("feature 4: a new leader gives a member E also when that member was recovering under an earlier one", () => {
  const lone = new Lone([1, 1]);
  lone.lead();
  lone.beat(2, { state: "recovering" });
  lone.get(2, heartbeat({ term: 3 }));
  lone.now += E;
  lone.step({ kind: "campaign", nowMs: lone.now });
  lone.get(2, { kind: "preVoteReply", forTerm: 4, granted: true, reason: null });
  lone.get(2, { kind: "voteReply", granted: true, reason: null });
  lone.tick(E);
  assert.equal(lone.core.status().role, "leader", "member 2 has voted, so it is whole again");
  lone.tick(10);
  assert.equal(lone.core.status().role, "follower");
});

test("§7: a peer's last answer survives its restart, because Tsafe counts from it", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  lone.tick(40);
  lone.beat(2);
  lone.tick(40);
  lone.get(2, { kind: "propose", boot: 2, context: 1, commands: ["from the new boot"] });
  const peer = lone.core.status().peers.get(memberId(2));
  assert.deepEqual([peer?.lastAnswerMs, peer?.match], [40, 0]);
});

test("§6, disk stall: a leader whose write hangs hands over, heartbeats go on, it does not campaign until healthy", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  lone.holdWrites = true;
  lone.step({ kind: "propose", context: 1, commands: ["a"] });
  for (let n = 0; n < 12; n += 1) {
    lone.tick(100);
    lone.beat(2);
    lone.ack(2);
  }
  assert.ok(lone.core.status().storeStalled);
  assert.ok(lone.sent("timeoutNow").length > 0);
  lone.get(2, heartbeat({ term: 9 }));
  lone.finishWrites();
  lone.tick(3000);
  assert.equal(lone.sent("preVote").length, 0);
  lone.tick(10_000);
  assert.ok(lone.sent("preVote").length > 0);
});

test("§7: the resource lease is the echo minus the leader's age, and an echo of another boot proves nothing", () => {
  const lone = new Lone([1, 1, 1]);
  lone.now = 10_000;
  lone.get(2, heartbeat({ echoMs: 9_000, quorumAgeMs: 100, echoBoot: 6 }));
  assert.equal(lone.core.status().leaseBaseMs, null);
  lone.get(2, heartbeat({ echoMs: 9_000, quorumAgeMs: 100, echoBoot: 7 }));
  assert.equal(lone.core.status().leaseBaseMs, 8_899);
  lone.get(2, heartbeat({ echoMs: 9_050, quorumAgeMs: 900, echoBoot: 7 }));
  assert.equal(lone.core.status().leaseBaseMs, 8_899, "the best so far");
  assert.equal(lone.sent("heartbeatReply").at(-1)?.nonceMs, 10_000);
});

test("§6, limits: too large, too many uncommitted, each by name", () => {
  const lone = new Lone([1, 1, 1], { limits: { entryBytes: 100, uncommittedEntries: 3, uncommittedBytes: 150 } });
  lone.lead();
  const propose = (...commands: string[]): string => {
    lone.step({ kind: "propose", context: 1, commands });
    const answer = lone.answers.at(-1);
    return answer?.kind === "proposal" && answer.outcome.kind === "refused" ? answer.outcome.reason : "appended";
  };
  const results = [propose("x".repeat(90)), propose("a"), propose("x".repeat(70)), propose("y".repeat(70)), propose("b", "c", "d")];
  assert.deepEqual(results, ["too-large", "appended", "appended", "busy", "busy"]);
});

test("§6, limits: what a follower passes on fits one message, or is refused by name and never sent", () => {
  const follower = new Lone([1, 1, 1], { limits: { entryBytes: 100 } });
  follower.get(2, heartbeat({}));
  follower.step({ kind: "propose", context: 1, commands: ["x".repeat(90)] });
  follower.step({ kind: "propose", context: 2, commands: ["x".repeat(40), "y".repeat(40)] });
  follower.step({ kind: "propose", context: 3, commands: ["x".repeat(40)] });
  const refused = (context: number) => ({ kind: "proposal", context, outcome: { kind: "refused", reason: "too-large", leader: 2 } });
  assert.deepEqual(follower.answers, [refused(1), refused(2)]);
  assert.deepEqual(
    follower.sent("propose").map((message) => message.context),
    [3],
  );
});

test("§6, limits: entries of the leader itself are no credit for proposals", () => {
  const lone = new Lone([1, 1, 1], { limits: { uncommittedBytes: 400 } });
  lone.lead();
  for (let n = 0; n < 3; n += 1) {
    const member = { name: `n${n}`, addresses: [], incarnation: null };
    const request = { kind: "change", mode: "joint", changes: [{ op: "member", id: memberId(3), member }] } as const;
    lone.step({ kind: "proposeChange", context: n, request });
    lone.ack(2);
  }
  const kinds = ["a", "b"].map((letter) => {
    lone.step({ kind: "propose", context: 9, commands: [letter.repeat(300)] });
    const answer = lone.answers.at(-1);
    return answer?.kind === "proposal" ? answer.outcome.kind : null;
  });
  assert.deepEqual(kinds, ["appended", "refused"]);
});

test("§6, limits: a slow state machine stops the hand-out, not the log", () => {
  const lone = new Lone([1, 1, 1], { limits: { unappliedBytes: 60 } });
  lone.lead();
  const { core } = lone;
  for (let n = 0; n < 5; n += 1) core.step({ kind: "propose", context: n, commands: ["x".repeat(20)] });
  const first = core.ready();
  if (first.ticket !== null) core.step({ kind: "stored", nowMs: 0, ticket: first.ticket });
  const ack = {
    kind: "appendReply",
    term: term(2),
    boot: 1,
    ok: true,
    match: 6,
    prevIndex: 0,
    hintIndex: 0,
    hintTerm: 0,
    storeAgeMs: 0,
    state: "normal",
  };
  core.step({ kind: "message", nowMs: 0, from: memberId(2), message: ack as unknown as Message<string> });
  const handed = core.ready().commit.map((entry) => entry.index);
  assert.deepEqual([handed, core.status().commit], [[2, 3], 6]);
  core.step({ kind: "applied", index: logIndex(3) });
  assert.deepEqual(
    core.ready().commit.map((entry) => entry.index),
    [4, 5],
  );
});

test("group commit: two batches become one write, promises of an older term are dropped, a snapshot stays alone", () => {
  const lone = new Lone([1, 1, 1]);
  lone.core.step({ kind: "message", nowMs: 0, from: memberId(2), message: appendOf(1, 0, ["a", "b"]) });
  const first = lone.core.ready();
  lone.core.step({ kind: "message", nowMs: 0, from: memberId(3), message: appendOf(2, 0, ["c"]) });
  const second = lone.core.ready();
  const merged = mergeReady(first, second);
  assert.deepEqual(
    merged?.entries.map((entry) => entry.term),
    [2],
  );
  assert.deepEqual(
    merged?.sendAfter.map((one) => one.to),
    [3],
  );
  assert.deepEqual(merged?.ticket, second.ticket);
  const zero = { term: term(0), index: logIndex(0) };
  const meta = { last: zero, configuration: emptyConfiguration(), sizeBytes: 0, hash: "" };
  assert.equal(mergeReady(first, { ...second, snapshot: { meta, keepSuffix: false } }), null);
});

function appendOf(inTerm: number, prevIndex: number, commands: readonly string[]): Message<string> {
  const entries = commands.map((data, at) => ({ term: term(inTerm), index: logIndex(prevIndex + 1 + at), kind: "data" as const, data }));
  return { kind: "append", term: term(inTerm), boot: 1, prevIndex: logIndex(prevIndex), prevTerm: term(0), commit: logIndex(0), entries };
}

test("a promise that repeats an unfinished one waits for it", () => {
  const lone = new Lone([1, 1, 1]);
  lone.holdWrites = true;
  const message = appendOf(1, 0, ["a"]);
  lone.step({ kind: "message", nowMs: 0, from: memberId(2), message });
  lone.step({ kind: "message", nowMs: 0, from: memberId(2), message });
  assert.equal(lone.sent("appendReply").length, 0);
  lone.finishWrites();
  assert.equal(lone.sent("appendReply").length, 2);
});

test("the trace names state, role, log and both halves", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  const { event } = traceEvent("BecomeLeader", lone.core.status());
  assert.deepEqual(event, {
    name: "BecomeLeader",
    nid: "1",
    state: { term: 2, vote: "1", commit: 1 },
    role: "StateLeader",
    log: 1,
    conf: [["1", "2", "3"], []],
  });
});

test("force-new-cluster keeps the whole log as committed and leads alone", () => {
  const old = { hard: { term: term(4), vote: null, commit: logIndex(0) }, mark: { term: term(0), index: logIndex(0) }, snapshot: null };
  const entries: Entry<string>[] = [{ term: term(3), index: logIndex(1), kind: "data", data: "kept" }];
  const member = { name: "a", addresses: [], incarnation: null };
  const restored = forceNewCluster<string>({ ...old, entries, recovering: true }, { id: memberId(1), member });
  const lone = new Lone([1, 1, 1], { restored });
  lone.tick(2 * E);
  assert.equal(lone.core.status().role, "leader");
  assert.deepEqual(
    lone.committed.map((entry) => entry.kind),
    ["data", "config", "empty"],
  );
});

test("a removed leader commits its removal, hands over and stays out; a removed follower is told", () => {
  const world = new World({ seed: 5, members: 4, faults: false });
  world.run(1500);
  const leader = world.leaderHost();
  assert.ok(leader !== null);
  world.change(leader, [{ op: "remove", id: leader.id }]);
  world.run(400);
  const next = world.leaderHost();
  assert.ok(next !== null && next.id !== leader.id, "somebody else leads well before an election timeout of silence");
  world.run(3000);
  const status = leader.core?.status();
  assert.deepEqual([status?.role, world.leaderHost()?.id, world.counts.elections], ["follower", next.id, 2]);
});

test("a removed leader that was handing over wakes to say what became of it, although it stands for nothing any more", () => {
  const lone = new Lone([1, 1, 1]);
  lone.lead();
  const changes = [{ op: "remove", id: memberId(1) }] as const;
  lone.step({ kind: "proposeChange", context: 1, request: { kind: "change", mode: "joint", changes } });
  lone.step({ kind: "transfer", context: 2, to: memberId(3) });
  for (let n = 0; n < 3; n += 1) {
    lone.ack(2);
    lone.ack(3);
  }
  assert.equal(lone.core.status().role, "follower");
  for (let turn = 0; turn < 10 && lone.core.nextWakeMs() < 1e6; turn += 1) lone.tick(Math.max(10, lone.core.nextWakeMs() - lone.now));
  assert.deepEqual(
    lone.answers.filter((one) => one.kind === "transfer").map((one) => one.outcome.kind),
    ["refused"],
  );
});

test("a witness that had to lead brings a better member up to date and hands over", () => {
  const world = new World({ seed: 9, members: 3, faults: false, witness: 3 });
  world.run(1500);
  const first = world.leaderHost();
  assert.ok(first !== null && first.id !== 3);
  const other = [...world.hosts.values()].find((host) => host.id !== first.id && host.id !== 3);
  assert.ok(other !== undefined);
  // The other data member misses a commit that only the leader and the witness hold; then the leader dies.
  world.cut(first.id, other.id);
  world.run(100);
  world.propose(first, "kept by the witness");
  world.run(200);
  world.crash(first);
  world.run(5000);
  assert.equal(world.leaderHost()?.id, other.id);
  assert.ok([...world.committed.keys()].every((index) => index <= (other.core?.status().last.index ?? 0)));
});
