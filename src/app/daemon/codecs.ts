import { createHash } from "node:crypto";
import { type CibState, decodeSnapshot, encodeSnapshot, type Proposal, type SnapshotData, snapshotPieces } from "../../core/cib/index.ts";
import type { NodeOptions } from "../../core/controller/index.ts";
import { type CommandCodec, packBytes, packedEntry, unpackBytes } from "../../io/wire/index.ts";

/** Proposals to bytes and back. An entry that is no proposal stops the node before it acknowledges it (STYLE.md §6). */
export const proposalCodec: CommandCodec<Proposal> = {
  encode: packBytes,
  decode: (bytes) => {
    const value = unpackBytes(bytes) as Partial<Proposal> | null;
    const known = typeof value === "object" && value !== null && typeof value.atMs === "number";
    if (!known || typeof value.command !== "object" || value.command === null || typeof value.command.kind !== "string") {
      throw new TypeError("these bytes are no proposal");
    }
    return value as Proposal;
  },
};

/** How the log of a node holds proposals: as bytes that are made once for the limits, the disk and all peers. */
export const proposalEntries: Pick<NodeOptions, "sizeOf" | "entryOf"> = {
  sizeOf: (proposal) => packBytes(proposal).length,
  entryOf: (id, proposal) => packedEntry(id, proposal, proposalCodec),
};

/** Text that is gathered before it becomes bytes, characters. */
const PART_CHARS = 64 * 1024;

/** The bytes of a snapshot and their SHA-256 (hex); it pauses after each part, a millisecond of work or so. */
function* encodeInParts(state: CibState): Generator<void, { readonly bytes: Uint8Array; readonly hash: string }> {
  const hash = createHash("sha256");
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  let text = "";
  const close = (): void => {
    const part = Buffer.from(text, "utf8");
    text = "";
    hash.update(part);
    parts.push(part);
    sizeBytes += part.length;
  };
  for (const piece of snapshotPieces(state)) {
    text += piece;
    if (text.length < PART_CHARS) continue;
    close();
    yield;
  }
  close();
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
    yield;
  }
  return { bytes, hash: hash.digest("hex") };
}

/** Snapshots of the state as JSON text: equal states give equal bytes (RAFT.md §10 S12). */
export const snapshotCodec = {
  encode: (state: CibState): Uint8Array => Buffer.from(JSON.stringify(encodeSnapshot(state)), "utf8"),
  decode: (bytes: Uint8Array): CibState => decodeSnapshot(JSON.parse(Buffer.from(bytes).toString("utf8")) as SnapshotData),
  encodeInParts,
};
