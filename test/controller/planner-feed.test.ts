import assert from "node:assert/strict";
import { test } from "node:test";
import { logIndex, term } from "../../src/core/base/index.ts";
import { type Command, emptyState, type Proposal } from "../../src/core/cib/index.ts";
import { PlannerFeed } from "../../src/core/controller/planner-feed.ts";
import type { Entry } from "../../src/core/raft/index.ts";

const entry = (index: number): Entry<Proposal> => ({ kind: "empty", term: term(1), index: logIndex(index) });
const attribute: Command = { kind: "attribute.set", changes: [] };
const urgent: Command = { kind: "policy.failed", basedOn: logIndex(1), code: "X", message: "x" };
const take = (feed: PlannerFeed, nowMs: number) => feed.take(emptyState(), nowMs, () => nowMs);

test("a busy worker is told of what came meanwhile in one go, when it has taken in what it was told before", () => {
  const feed = new PlannerFeed();
  feed.started();
  feed.note(entry(1), urgent, false);
  assert.equal(feed.isDue(0, true), true);
  take(feed, 0);
  for (let index = 2; index <= 4; index += 1) feed.note(entry(index), urgent, false);
  assert.equal(feed.isDue(60_000, true), false);
  assert.equal(feed.wakeMs, Number.POSITIVE_INFINITY, "its answer wakes the node");
  feed.heard();
  assert.equal(feed.isDue(1, true), true);
  const message = take(feed, 1);
  assert.deepEqual(message?.kind === "applied" && message.entries.map(({ index }) => index), [2, 3, 4]);
});

test("attributes wait while nothing is under way, and for no longer than a pause", () => {
  const feed = new PlannerFeed();
  feed.started();
  feed.note(entry(1), urgent, false);
  take(feed, 1_000);
  feed.heard();
  feed.note(entry(2), attribute, true);
  assert.deepEqual([feed.isDue(1_050, true), feed.wakeMs, feed.isDue(1_100, true)], [false, 1_100, true]);
  feed.note(entry(3), attribute, false);
  assert.equal(feed.isDue(1_050, true), true);
  assert.equal(feed.isDue(1_050, false), false, "a follower's worker decides nothing");
});

test("a worker that is busy for too long is given the state as a whole, and a lost one nothing", () => {
  const feed = new PlannerFeed();
  feed.started();
  for (let index = 1; index <= 20_000; index += 1) feed.note(entry(index), urgent, false);
  assert.equal(take(feed, 0)?.kind, "load");
  assert.equal(take(feed, 0), null);
  feed.note(entry(20_001), urgent, false);
  feed.lost();
  assert.equal(take(feed, 0), null);
});
