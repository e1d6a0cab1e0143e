import assert from "node:assert/strict";
import type { Opened, RaftStore } from "../../src/io/storage/index.ts";
import { config, hard, range, snapshotOf, told, write } from "./harness.ts";

const STATE = Buffer.from("the state of the cluster at entry 40 ".repeat(20_000));
const WRITTEN = [...range(21, 40, 2), ...range(41, 60, 3), config(61, 3), ...range(62, 80, 4)];
/** The log before its beginning was dropped: a lost log mark brings it back, as true as it was. */
const WHOLE = [...range(1, 20, 2), ...WRITTEN];
const HARD = hard(4, 9, 75);

/** A store with everything in it: snapshot, compacted log, packs of several terms, a vote. */
export async function fill(store: RaftStore<string>): Promise<void> {
  await store.save(write({ hard: hard(2, 77, 0), entries: range(1, 20, 2) }));
  await store.save(write({ entries: range(21, 40, 2) }));
  await store.save(write({ hard: hard(3, null, 30), entries: range(41, 60, 3) }));
  await store.takeSnapshot(snapshotOf(STATE, 40, 2), STATE);
  await store.compact({ term: range(20, 20, 2)[0]!.term, index: range(20, 20, 2)[0]!.index });
  await store.save(write({ hard: hard(4, 9, 60), entries: [config(61, 3), ...range(62, 70, 4)] }));
  await store.save(write({ hard: HARD, entries: range(71, 80, 4) }));
}

/** A finding that lets the member take part must come with exactly what was written; any other must keep it silent. */
export async function judge(opened: Opened<string>, what: string): Promise<string> {
  if (opened.kind !== "opened") {
    assert.equal(opened.kind, "amnesia", what);
    return opened.kind;
  }
  const { loaded, store } = opened;
  const { restored, finding } = loaded;
  if (finding.kind === "recovering") {
    // Silent until repaired, and whatever is still there is a piece of the truth without gap.
    assert.equal(restored.recovering, true, what);
    const kept = told(restored.entries);
    const start = WHOLE.findIndex((entry) => entry.index === restored.entries[0]?.index);
    assert.deepEqual(kept, kept.length === 0 ? [] : told(WHOLE.slice(start, start + kept.length)), what);
  } else {
    assert.deepEqual(told(restored.entries), told(WRITTEN), what);
    assert.deepEqual(restored.hard, HARD, what);
    assert.deepEqual(Buffer.from((await store.loadSnapshot()) ?? []), STATE, what);
  }
  // The promise about votes is never forgotten or changed while the member may speak under this name.
  assert.deepEqual([restored.hard.term, restored.hard.vote], [HARD.term, HARD.vote], what);
  if (restored.snapshot !== null) assert.deepEqual(restored.snapshot, snapshotOf(STATE, 40, 2), what);
  await store.close();
  return finding.kind;
}
