import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { logIndex } from "../../src/core/base/index.ts";
import {
  apply,
  type CibState,
  type Command,
  type CommandResult,
  canonicalText,
  decodeSnapshot,
  element,
  emptyState,
  encodeSnapshot,
  UPLOAD_BYTES_MAX,
  UPLOAD_IDLE_MAX_MS,
  UPLOADS_MAX,
  uploadHash,
  uploadPartHash,
} from "../../src/core/cib/index.ts";
import type { PlannedTransition } from "../../src/core/controller/index.ts";
import { emptyGraph } from "../../src/core/transition/index.ts";
import { exited, MiniCluster } from "./mini-cluster.ts";

const object = (id: string, text = "x") =>
  element("cluster_property_set", { id }, [element("nvpair", { id: `${id}-v`, name: id, value: text })]);
const put = (id: string, text = "x") => ({ section: "crm_config", id, before: null, after: object(id, text) }) as const;
type Edits = readonly ReturnType<typeof put>[];

const nameOf = (parts: readonly Edits[]): string => uploadHash(parts.map(uploadPartHash));
const parts: readonly Edits[] = [[put("a"), put("b")], [put("c")], [put("d"), put("e")]];

/** Applies commands one second apart, or at the given time. */
class Log {
  state: CibState = emptyState();
  run(command: Command, atMs = 1_000 * (this.state.index + 1)): CommandResult {
    const applied = apply(this.state, logIndex(this.state.index + 1), { atMs, origin: null, command });
    this.state = applied.state;
    return applied.result;
  }
  upload(all: readonly Edits[], upload = nameOf(all)): string {
    for (const [number, edits] of all.entries()) assert.ok(this.run({ kind: "upload.part", upload, number, edits }).ok);
    return upload;
  }
  get ids(): readonly string[] {
    return [...this.state.sections.crm_config.objects.keys()];
  }
}

const codeOf = (result: CommandResult): string | null => (result.ok ? null : result.code);

describe("staged uploads in the replicated state (RAFT.md §6, limits)", () => {
  test("nothing of an upload is in force before the one entry that names its hash, and all of it after", () => {
    const log = new Log();
    const upload = log.upload(parts);
    assert.deepEqual(log.ids, []);
    const { epoch } = log.state;
    assert.ok(log.run({ kind: "upload.commit", upload, parts: 3 }).ok);
    assert.deepEqual(log.ids, ["a", "b", "c", "d", "e"]);
    assert.equal(log.state.epoch, epoch + 1, "one change");
    assert.equal(log.state.uploads.size, 0);
  });

  test("one conflict among thousands of edits refuses all of them", () => {
    const log = new Log();
    const upload = log.upload(parts);
    log.run({ kind: "config.edit", edits: [put("d", "somebody else's")] });
    assert.equal(codeOf(log.run({ kind: "upload.commit", upload, parts: 3 })), "CIB_CONFLICT");
    assert.deepEqual(log.ids, ["d"]);
  });

  test("parts come in order; a part that is there already changes nothing; another one in its place is refused", () => {
    const log = new Log();
    const upload = nameOf(parts);
    assert.equal(codeOf(log.run({ kind: "upload.part", upload, number: 1, edits: parts[1]! })), "UPLOAD_INCOMPLETE");
    log.run({ kind: "upload.part", upload, number: 0, edits: parts[0]! });
    const again = log.run({ kind: "upload.part", upload, number: 0, edits: parts[0]! });
    assert.equal(again.ok && again.value, 1);
    assert.equal(codeOf(log.run({ kind: "upload.part", upload, number: 0, edits: parts[1]! })), "UPLOAD_INCOMPLETE");
    assert.equal(codeOf(log.run({ kind: "upload.commit", upload, parts: 3 })), "UPLOAD_INCOMPLETE");
    assert.equal(codeOf(log.run({ kind: "upload.commit", upload, parts: 1 })), "UPLOAD_INCOMPLETE", "the hash names three parts");
  });

  test("other content under the name is refused by its hash", () => {
    const log = new Log();
    const upload = log.upload([[put("a"), put("b")], [put("c", "forged")], [put("d"), put("e")]], nameOf(parts));
    assert.equal(codeOf(log.run({ kind: "upload.commit", upload, parts: 3 })), "UPLOAD_INCOMPLETE");
    assert.deepEqual(log.ids, []);
  });

  test("an upload that nobody goes on with is dropped by the leader's time; one that is used stays", () => {
    const log = new Log();
    const upload = nameOf(parts);
    log.run({ kind: "upload.part", upload, number: 0, edits: parts[0]! }, 1_000);
    log.run({ kind: "session.open" }, UPLOAD_IDLE_MAX_MS);
    log.run({ kind: "upload.part", upload, number: 1, edits: parts[1]! }, UPLOAD_IDLE_MAX_MS);
    log.run({ kind: "session.open" }, 2 * UPLOAD_IDLE_MAX_MS - 1);
    assert.equal(log.state.uploads.size, 1);
    log.run({ kind: "session.open" }, 2 * UPLOAD_IDLE_MAX_MS + 1);
    assert.equal(log.state.uploads.size, 0);
  });

  test("the oldest uploads give way, one alone has a limit, and dropping makes room", () => {
    const log = new Log();
    const all = Array.from({ length: UPLOADS_MAX + 2 }, (_, at) => log.upload([[put(`o${at}`)]]));
    assert.deepEqual([...log.state.uploads.keys()].sort(), all.slice(2).sort());
    const last = all[all.length - 1] ?? "";
    log.run({ kind: "upload.drop", upload: last });
    assert.equal(log.state.uploads.has(last), false);
    const half = "x".repeat(UPLOAD_BYTES_MAX / 2);
    const big = "b".repeat(64);
    assert.ok(log.run({ kind: "upload.part", upload: big, number: 0, edits: [put("big", half)] }).ok);
    assert.equal(codeOf(log.run({ kind: "upload.part", upload: big, number: 1, edits: [put("big2", half)] })), "LIMIT_EXCEEDED");
    const other = log.upload([[put("other", half)]], "c".repeat(64));
    assert.deepEqual([...log.state.uploads.keys()], [other], "together they are bounded too");
  });

  test("a snapshot in the middle keeps the parts, and snapshots of before know none", () => {
    const log = new Log();
    const upload = nameOf(parts);
    log.run({ kind: "upload.part", upload, number: 0, edits: parts[0]! });
    const data = JSON.parse(JSON.stringify(encodeSnapshot(log.state))) as ReturnType<typeof encodeSnapshot>;
    log.state = decodeSnapshot(data);
    log.run({ kind: "upload.part", upload, number: 1, edits: parts[1]! });
    log.run({ kind: "upload.part", upload, number: 2, edits: parts[2]! });
    assert.ok(log.run({ kind: "upload.commit", upload, parts: 3 }).ok);
    const { uploads: _, ...old } = data.state as Record<string, unknown>;
    assert.equal(decodeSnapshot({ version: data.version, state: old }).uploads.size, 0);
  });
});

describe("staged uploads through members", () => {
  const schedule = (): PlannedTransition => ({ graph: emptyGraph(), summary: [], placements: null, scores: null, recheckAtMs: null });
  const agents = () => ({ outcome: exited(0), tookMs: 5 });
  const refusalOf = (answer: unknown): string | null => (answer as { error?: { code: string } }).error?.code ?? null;

  test("the leader dies in the middle: another member goes on where the upload stopped", () => {
    const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
    const leader = cluster.leader();
    const asked = [...cluster.nodes.values()].find((node) => node !== leader);
    assert.ok(leader && asked);
    const upload = nameOf(parts);
    assert.deepEqual(leader.request("config.uploadStatus", { upload }), { received: 0 });
    assert.deepEqual(leader.request("config.upload", { upload, number: 0, edits: parts[0] }), { received: 1 });
    leader.die();
    cluster.until("another leader", 5_000, () => (cluster.leader() ?? leader) !== leader);
    assert.deepEqual(asked.request("config.uploadStatus", { upload }), { received: 1 });
    assert.equal(refusalOf(asked.request("config.commit", { upload, parts: 3 })), "UPLOAD_INCOMPLETE");
    for (const number of [1, 2]) asked.request("config.upload", { upload, number, edits: parts[number] });
    assert.equal(refusalOf(asked.request("config.commit", { upload, parts: 3 })), null);
    assert.deepEqual([...asked.core.state.sections.crm_config.objects.keys()], ["a", "b", "c", "d", "e"]);
    assert.equal(refusalOf(asked.request("config.commit", { upload, parts: 3 })), "CIB_INVALID", "it is used up");
    assert.equal(refusalOf(asked.request("config.upload", { upload: "x", number: 0, edits: [] })), "BAD_REQUEST");
  });

  test("what does not fit is refused at the rehearsal", () => {
    const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
    const leader = cluster.leader();
    assert.ok(leader);
    const wrong = [[{ ...put("a"), before: canonicalText(object("a", "other")) }]];
    const upload = uploadHash(wrong.map(uploadPartHash));
    leader.request("config.upload", { upload, number: 0, edits: wrong[0] });
    assert.equal(refusalOf(leader.request("config.commit", { upload, parts: 1 })), "CIB_CONFLICT");
    leader.request("config.uploadDrop", { upload });
    assert.equal(leader.core.state.uploads.size, 0);
  });
});
