import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LogIndex, logIndex, type MemberId, memberId, term } from "../../src/core/base/index.ts";
import {
  type ConfigChange,
  type Configuration,
  committedIndex,
  type Entry,
  emptyConfiguration,
  enterJoint,
  type Half,
  leaveJoint,
  memberIds,
  simpleChange,
  voteResult,
} from "../../src/core/raft/index.ts";
import {
  appendEntries,
  compactionPoint,
  configuration,
  lastIndex,
  lastWithTermAtMost,
  rebase,
  restoreLog,
  sliceEntries,
  termAt,
  truncateFrom,
} from "../../src/core/raft/log.ts";
import { becomeReplicate, becomeSnapshot, freeWindow, lowerNext, newPeer, raiseMatch, sentAppend } from "../../src/core/raft/progress.ts";

const half = (...votes: readonly number[]): Half => new Map(votes.map((count, at) => [memberId(at + 1), count] as const));
const none: Half = new Map();

const elections: readonly { readonly name: string; readonly half: Half; readonly answers: string; readonly expect: string }[] = [
  { name: "one of three is not enough (RAFT.md §3)", half: half(1, 1, 1), answers: "y", expect: "pending" },
  { name: "two of three win", half: half(1, 1, 1), answers: "yy", expect: "won" },
  { name: "two refusals of three lose at once", half: half(1, 1, 1), answers: "nn", expect: "lost" },
  { name: "half of four is no majority", half: half(1, 1, 1, 1), answers: "yynn", expect: "lost" },
  { name: "votes count, not nodes: 3 of 5", half: half(3, 1, 1), answers: "y", expect: "won" },
  { name: "two nodes with 2 of 5 votes cannot", half: half(3, 1, 1), answers: "nyy", expect: "lost" },
  { name: "a tie-breaker: w' = 2w, one more for a named node", half: half(3, 2), answers: "y", expect: "won" },
  { name: "a half without votes decides nothing", half: half(0, 0), answers: "yy", expect: "lost" },
];

for (const { name, half: voters, answers, expect } of elections) {
  test(`votes: ${name}`, () => {
    const given = new Map([...answers].map((one, at) => [memberId(at + 1), one === "y"] as const));
    assert.equal(voteResult({ voters, outgoing: none }, given), expect);
  });
}

const halves = fc.array(fc.nat(4), { maxLength: 6 }).map((votes) => half(...votes));
const matches = fc.array(fc.nat(12), { minLength: 6, maxLength: 6 });

/** The obvious rule: try every index from the top, add up who has it. */
function slowCommit(voters: Half, outgoing: Half, matchOf: (id: MemberId) => number): number {
  const agree = (one: Half, index: number): boolean => {
    let total = 0;
    let sum = 0;
    for (const [id, votes] of one) {
      total += votes;
      if (matchOf(id) >= index) sum += votes;
    }
    return one.size === 0 || sum * 2 > total;
  };
  for (let index = 20; index > 0; index -= 1) if (agree(voters, index) && agree(outgoing, index)) return index;
  return 0;
}

test("the quick commit rule agrees with the slow, obvious one", () => {
  fc.assert(
    fc.property(halves, halves, matches, (voters, outgoing, given) => {
      const matchOf = (id: MemberId): LogIndex => logIndex(given[id - 1] ?? 0);
      const quick = committedIndex({ voters, outgoing }, matchOf);
      const slow = slowCommit(voters, outgoing, matchOf);
      assert.equal(Number.isFinite(quick) ? quick : 20, slow);
    }),
  );
});

test("two quorums of one half share a voter", () => {
  fc.assert(
    fc.property(halves, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (voters, side) => {
      const answers = (yes: boolean): Map<MemberId, boolean> =>
        new Map([...voters.keys()].map((id) => [id, side[id - 1] === yes] as const));
      const one = voteResult({ voters, outgoing: none }, answers(true));
      const other = voteResult({ voters, outgoing: none }, answers(false));
      assert.ok(voters.size === 0 || !(one === "won" && other === "won"));
    }),
  );
});

const change: fc.Arbitrary<ConfigChange> = fc.oneof(
  fc.record({
    op: fc.constant("voter" as const),
    id: fc.integer({ min: 1, max: 5 }).map(memberId),
    votes: fc.nat(3),
    witness: fc.boolean(),
  }),
  fc.record({ op: fc.constant("learner" as const), id: fc.integer({ min: 1, max: 5 }).map(memberId) }),
  fc.record({ op: fc.constant("remove" as const), id: fc.integer({ min: 1, max: 5 }).map(memberId) }),
);

function three(): Configuration {
  return { ...emptyConfiguration(), voters: half(1, 1, 1) };
}

test("a joint change leads to what was asked for, keeps the old half until left, and loses nobody's role", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
      const joint = enterJoint(three(), changes, true);
      if (typeof joint === "string") {
        assert.equal(joint, "removed-all-voters");
        return;
      }
      assert.deepEqual([...joint.outgoing], [...three().voters]);
      const left = leaveJoint(joint);
      assert.ok(typeof left !== "string");
      assert.deepEqual([...left.voters], [...joint.voters]);
      for (const id of memberIds(left)) assert.ok(left.voters.has(id) !== left.learners.has(id), `member ${id} has two roles`);
      for (const id of left.witnesses) assert.ok(memberIds(left).includes(id));
      assert.equal(leaveJoint(left), "not-joint");
    }),
  );
});

test("a step without joint configuration moves at most one vote", () => {
  const steps: readonly [readonly ConfigChange[], string][] = [
    [[{ op: "voter", id: memberId(4), votes: 1 }], "done"],
    [[{ op: "voter", id: memberId(1), votes: 2 }], "done"],
    [[{ op: "voter", id: memberId(1), votes: 3 }], "needs-joint"],
    [
      [
        { op: "remove", id: memberId(1) },
        { op: "voter", id: memberId(4), votes: 1 },
      ],
      "needs-joint",
    ],
    [[{ op: "learner", id: memberId(4) }], "done"],
  ];
  for (const [changes, expect] of steps) {
    const result = simpleChange(three(), changes);
    assert.equal(typeof result === "string" ? result : "done", expect, JSON.stringify(changes));
  }
});

function logOf(terms: readonly number[]): ReturnType<typeof restoreLog<string>> {
  const entries = terms.map((one, at): Entry<string> => ({ term: term(one), index: logIndex(at + 1), kind: "data", data: "x" }));
  const zero = { term: term(0), index: logIndex(0) };
  return restoreLog(
    { hard: { term: term(9), vote: null, commit: logIndex(0) }, mark: zero, snapshot: null, entries, recovering: false },
    () => 1,
  );
}

const terms = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 }).map((all) => [...all].sort((a, b) => a - b));

test("the conflict hint is the last position at or below an index whose term is small enough", () => {
  fc.assert(
    fc.property(terms, fc.nat(14), fc.nat(5), (all, upTo, atMost) => {
      const log = logOf(all);
      const found = lastWithTermAtMost(log, logIndex(Math.min(upTo, all.length)), term(atMost));
      let slow = Math.min(upTo, all.length);
      while (slow > 0 && (all[slow - 1] ?? 0) > atMost) slow -= 1;
      assert.equal(found.index, slow);
    }),
  );
});

test("a truncated log is as if the rest had never been appended, configurations included", () => {
  const log = logOf([1, 1]);
  const config: Entry<string> = { term: term(2), index: logIndex(3), kind: "config", configuration: three() };
  appendEntries(log, [config, { term: term(2), index: logIndex(4), kind: "empty" }]);
  assert.equal(configuration(log).voters.size, 3);
  log.stored = logIndex(4);
  truncateFrom(log, logIndex(3));
  assert.equal(configuration(log).voters.size, 0);
  assert.deepEqual([lastIndex(log), log.stored, log.writeFrom, termAt(log, logIndex(3))], [2, 2, 3, null]);
  assert.equal(log.bytes, logOf([1, 1]).bytes);
});

test("after a snapshot the newest entries stay, bounded by number and by bytes, and only later ones count as new", () => {
  const size = logOf([1]).bytes;
  const after = (keepEntries: number, keepBytes: number, sizeBytes = 0): (number | undefined)[] => {
    const log = logOf([1, 1, 1, 2, 2, 2]);
    rebase(log, { last: { term: term(2), index: logIndex(5) }, configuration: three(), sizeBytes, hash: "" });
    return [compactionPoint(log, { keepEntries, keepBytes, keepBytesMax: size * 4 })?.index, log.freshBytes / size];
  };
  assert.deepEqual(after(0, 1000), [5, 1]);
  assert.deepEqual(after(2, 1000), [3, 1]);
  assert.deepEqual(after(4, size * 3), [2, 1]);
  assert.deepEqual(after(4, 0, size * 3), [2, 1], "as many as a large snapshot has");
  assert.deepEqual(after(9, 0, size * 9), [1, 1], "but never more than the limit");
  assert.deepEqual(after(3, 1000), [2, 1]);
});

test("a log never takes a gap or a falling term", () => {
  const log = logOf([2]);
  assert.throws(() => appendEntries(log, [{ term: term(2), index: logIndex(3), kind: "empty" }]), /does not follow/);
  assert.throws(() => appendEntries(log, [{ term: term(1), index: logIndex(2), kind: "empty" }]), /falls/);
});

test("an append takes at least one entry, however large, and stops before its limit otherwise", () => {
  const log = logOf([1, 1, 1]);
  const size = log.bytes / 3;
  assert.equal(sliceEntries(log, logIndex(1), 1).length, 1);
  assert.equal(sliceEntries(log, logIndex(1), size * 2).length, 2);
  assert.equal(sliceEntries(log, logIndex(4), size).length, 0);
});

test("progress: a window that is full pauses, an answer frees it, an old refusal changes nothing (RAFT.md §2, 11 and 12)", () => {
  const limits = { inflightMessages: 2, inflightBytes: 1000 } as Parameters<typeof sentAppend>[2];
  const peer = newPeer(memberId(2), logIndex(5));
  assert.equal(lowerNext(peer, logIndex(4), logIndex(2)), true);
  assert.deepEqual([peer.mode, peer.next], ["probe", 3]);
  assert.equal(lowerNext(peer, logIndex(4), logIndex(0)), false, "the refusal of an older probe");
  assert.equal(raiseMatch(peer, logIndex(2)), true);
  becomeReplicate(peer);
  sentAppend(peer, { last: logIndex(3), bytes: 10 }, limits);
  assert.equal(peer.paused, false);
  sentAppend(peer, { last: logIndex(4), bytes: 10 }, limits);
  assert.equal(peer.paused, true);
  raiseMatch(peer, logIndex(3));
  freeWindow(peer, logIndex(3));
  assert.deepEqual([peer.paused, peer.inflight.length, peer.inflightBytes, peer.next], [false, 1, 10, 5]);
  assert.equal(lowerNext(peer, logIndex(2), logIndex(0)), false, "a refusal below what is known to match");
  becomeSnapshot(peer, { last: { term: term(1), index: logIndex(9) }, configuration: three(), sizeBytes: 1, hash: "" });
  assert.deepEqual([peer.mode, peer.next, peer.inflight.length], ["snapshot", 10, 0]);
});
