import assert from "node:assert/strict";
import { test } from "node:test";
import { createNodeShell, type NodeShell } from "../../src/app/daemon/index.ts";
import { logIndex, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import { emptyState, type Proposal } from "../../src/core/cib/index.ts";
import { type CreateRaft, createRaft, emptyRestored, type Ready, type SnapshotMeta } from "../../src/core/raft/index.ts";

const NOTHING: Ready<Proposal> = {
  ticket: null,
  hard: null,
  entries: [],
  snapshot: null,
  sendNow: [],
  sendAfter: [],
  commit: [],
  reads: [],
  answers: [],
  chunks: [],
  verify: null,
  compactTo: null,
  recovered: false,
  soft: null,
};

/** A shell whose core hands out what the test puts into `owed`, over a store that answers when the test says so. */
function shellOf(owed: Ready<Proposal>[], store: Parameters<typeof createNodeShell>[1]["store"]): NodeShell {
  const scripted: CreateRaft = (options) => ({
    ...createRaft(options),
    hasReady: () => owed.length > 0,
    ready: () => (owed.shift() ?? NOTHING) as never,
  });
  const ignore = (): void => {};
  return createNodeShell(
    {
      node: "n1",
      memberId: memberId(1),
      boot: 1,
      version: "test",
      startMs: 0,
      random: seededRandom(1),
      restored: emptyRestored(),
      state: emptyState(),
      sizeOf: () => 1,
      createRaft: scripted,
    },
    {
      clock: { nowMs: () => 0, wallMs: () => 0, after: () => ignore, soon: (then) => then() },
      store,
      links: { send: ignore, setPeers: ignore },
      guardian: { run: () => true, cancel: ignore, ack: ignore, plan: ignore, deadline: ignore, release: ignore, selfFence: ignore },
      planner: { post: ignore },
      snapshots: { *encodeInParts() {}, decode: () => emptyState() } as never,
      log: { error: ignore, warn: ignore, info: ignore, debug: ignore } as never,
      onAnswer: ignore,
      onWatch: ignore,
      onStop: ignore,
      onFatal: (error) => {
        throw error;
      },
    },
  );
}

test("a write that comes with chunks of a snapshot reaches the store before the next one", async () => {
  const snapshot = { last: { index: logIndex(9), term: term(1) } } as SnapshotMeta;
  const chunk = { snapshot, offset: 0, data: new Uint8Array(1) };
  const ticketed = (number: number, chunks: Ready<Proposal>["chunks"]): Ready<Proposal> => {
    const hard = { term: term(number), vote: null, commit: logIndex(0) };
    return { ...NOTHING, hard, chunks, ticket: { hard, askedInTerm: term(number) } as never };
  };
  const owed = [ticketed(5, [chunk])];
  const saved: number[] = [];
  let kept: () => void = () => {};
  const store = {
    save: async ({ hard }: { hard: { term: number } | null }) => void saved.push(hard?.term ?? 0),
    keepChunks: () =>
      new Promise<void>((resolve) => {
        kept = resolve;
      }),
  };
  const shell = shellOf(owed, store as never);
  shell.start();
  owed.push(ticketed(6, []));
  shell.deliver({ kind: "tick" });
  kept();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(saved, [5, 6]);
  shell.close();
});
