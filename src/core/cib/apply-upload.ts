import { sha256 } from "../base/index.ts";
import type { Command } from "./commands.ts";
import type { ConfigurationEdit } from "./edit.ts";
import { canonicalText } from "./element.ts";
import { accepted, type Change, refused } from "./outcome.ts";
import { EDITS_STAGED_MAX } from "./sections.ts";
import { type CibState, UPLOAD_BYTES_MAX, UPLOAD_IDLE_MAX_MS, UPLOADS_MAX, type Upload, type UploadPart } from "./state.ts";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** The text by which a part is named: equal edits give equal text, however they came here. */
function textOf(edits: readonly ConfigurationEdit[]): string {
  const rows = edits.map(({ section, id, before, after }) => [section, id, before, after === null ? null : canonicalText(after)]);
  return JSON.stringify(rows);
}

/** SHA-256 that names one part, lower-case hex. */
export function uploadPartHash(edits: readonly ConfigurationEdit[]): string {
  return sha256(textOf(edits));
}

/** The name of an upload: the SHA-256 of its parts' hashes in their order, lower-case hex. */
export function uploadHash(partHashes: readonly string[]): string {
  return sha256(partHashes.join("\n"));
}

/** All edits of an upload, in order; null when it is unknown. */
export function editsOfUpload(state: Pick<CibState, "uploads">, upload: string): readonly ConfigurationEdit[] | null {
  return state.uploads.get(upload)?.parts.flatMap((part) => part.edits) ?? null;
}

/** Keeps the next part. One that is there already changes nothing: an upload goes on where it stopped. */
export function applyUploadPart(state: CibState, command: Of<"upload.part">): Change {
  const { upload: id, number, edits } = command;
  const present = state.uploads.get(id) ?? { id, lastUsedMs: state.clockMs, sizeBytes: 0, parts: [] };
  const text = textOf(edits);
  const part: UploadPart = { hash: sha256(text), sizeBytes: text.length, edits };
  const known = present.parts[number];
  if (known !== undefined && known.hash === part.hash) {
    return accepted(withUpload(state, { ...present, lastUsedMs: state.clockMs }), { voidsPlans: false, value: present.parts.length });
  }
  if (number !== present.parts.length) {
    return refused("UPLOAD_INCOMPLETE", `part ${number} of upload ${id} is not the next one: ${present.parts.length} are here`);
  }
  const count = present.parts.reduce((sum, { edits: others }) => sum + others.length, edits.length);
  if (count > EDITS_STAGED_MAX) return refused("LIMIT_EXCEEDED", `more than ${EDITS_STAGED_MAX} edits in one upload`);
  const sizeBytes = present.sizeBytes + part.sizeBytes;
  if (sizeBytes > UPLOAD_BYTES_MAX) return refused("LIMIT_EXCEEDED", `an upload has at most ${UPLOAD_BYTES_MAX} bytes`);
  const next: Upload = { id, lastUsedMs: state.clockMs, sizeBytes, parts: [...present.parts, part] };
  return accepted(withRoomFor(state, next), { voidsPlans: false, value: next.parts.length });
}

/** One entry makes the whole upload take effect, or nothing of it (RAFT.md §6, limits). */
export function applyUploadCommit(
  state: CibState,
  command: Of<"upload.commit">,
  edit: (edits: readonly ConfigurationEdit[]) => Change,
): Change {
  const upload = state.uploads.get(command.upload);
  if (upload === undefined) return refused("UPLOAD_INCOMPLETE", `there is no upload ${command.upload}; it may have been dropped meanwhile`);
  const hash = uploadHash(upload.parts.map((part) => part.hash));
  if (upload.parts.length !== command.parts || hash !== command.upload) {
    return refused("UPLOAD_INCOMPLETE", `upload ${command.upload} has ${upload.parts.length} parts here, and not those that it names`);
  }
  const change = edit(upload.parts.flatMap((part) => part.edits));
  if (change.kind === "refused") return change;
  return { ...change, state: { ...change.state, uploads: change.state.uploads.delete(upload.id) } };
}

export function applyUploadDrop(state: CibState, id: string): Change {
  return accepted({ ...state, uploads: state.uploads.delete(id) }, { voidsPlans: false });
}

/** By log order and the leader's time alone, as with sessions: every node drops the same ones at the same entry. */
export function dropIdleUploads(state: CibState): CibState {
  if (state.uploads.size === 0) return state;
  let uploads = state.uploads;
  for (const upload of state.uploads.values()) {
    if (state.clockMs - upload.lastUsedMs > UPLOAD_IDLE_MAX_MS) uploads = uploads.delete(upload.id);
  }
  return uploads === state.uploads ? state : { ...state, uploads };
}

function withUpload(state: CibState, upload: Upload): CibState {
  return { ...state, uploads: state.uploads.set(upload.id, upload) };
}

/** Those unused for longest were given up by whoever began them. */
function withRoomFor(state: CibState, upload: Upload): CibState {
  const others = [...state.uploads.values()].filter((other) => other.id !== upload.id).sort((a, b) => b.lastUsedMs - a.lastUsedMs);
  let sizeBytes = upload.sizeBytes;
  let kept = 1;
  let uploads = state.uploads.set(upload.id, upload);
  for (const other of others) {
    sizeBytes += other.sizeBytes;
    kept += 1;
    if (kept > UPLOADS_MAX || sizeBytes > UPLOAD_BYTES_MAX) uploads = uploads.delete(other.id);
  }
  return { ...state, uploads };
}
