import { createHash } from "node:crypto";
import { type CibState, decodeSnapshot, encodeSnapshot, type Proposal, type SnapshotData } from "../../core/cib/index.ts";
import { type CommandCodec, packBytes, unpackBytes } from "../../io/wire/index.ts";

const sizes = new WeakMap<Proposal, number>();
/** Bytes of proposals that were measured and not yet encoded: a leader measures first, so packing is done once. */
const packed = new WeakMap<Proposal, Uint8Array>();

/** Proposals to bytes and back. An entry that is no proposal stops the node before it acknowledges it (STYLE.md §6). */
export const proposalCodec: CommandCodec<Proposal> = {
  encode: (proposal) => {
    const bytes = packed.get(proposal) ?? packBytes(proposal);
    packed.delete(proposal);
    sizes.set(proposal, bytes.length);
    return bytes;
  },
  decode: (bytes) => {
    const value = unpackBytes(bytes) as Partial<Proposal> | null;
    const known = typeof value === "object" && value !== null && typeof value.atMs === "number";
    if (!known || typeof value.command !== "object" || value.command === null || typeof value.command.kind !== "string") {
      throw new TypeError("these bytes are no proposal");
    }
    const proposal = value as Proposal;
    sizes.set(proposal, bytes.length);
    return proposal;
  },
};

/** Encoded size of a proposal, bytes; computed once. */
export function sizeOfProposal(proposal: Proposal): number {
  const known = sizes.get(proposal);
  if (known !== undefined) return known;
  const bytes = packBytes(proposal);
  sizes.set(proposal, bytes.length);
  packed.set(proposal, bytes);
  return bytes.length;
}

/** Snapshots of the state as JSON text: equal states give equal bytes (RAFT.md §10 S12). */
export const snapshotCodec = {
  encode: (state: CibState): Uint8Array => Buffer.from(JSON.stringify(encodeSnapshot(state)), "utf8"),
  decode: (bytes: Uint8Array): CibState => decodeSnapshot(JSON.parse(Buffer.from(bytes).toString("utf8")) as SnapshotData),
  hash: (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex"),
};
