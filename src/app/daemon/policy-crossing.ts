import { logIndex } from "../../core/base/index.ts";
import { decodeSnapshot, encodeSnapshot, type Proposal, type SnapshotData } from "../../core/cib/index.ts";
import type { ToPlanner } from "../../core/controller/index.ts";
import type { Entry } from "../../core/raft/index.ts";
import { committedEntry, encodeEntry } from "../../io/wire/index.ts";
import { proposalCodec } from "./codecs.ts";

type Applied = Extract<ToPlanner, { kind: "applied" }>;

/**
 * What crosses to the policy worker: as `ToPlanner`, but states as snapshots, because maps with private parts cannot be
 * cloned, and entries as the bytes that the log holds, because a clone of each costs more than writing it to the disk.
 * They lie side by side: `ends` says where each ends, `first` is the index of the first.
 */
export type ToWorker =
  | Exclude<ToPlanner, { kind: "load" | "applied" }>
  | { readonly kind: "load"; readonly snapshot: SnapshotData }
  | { readonly kind: "applied"; readonly first: number; readonly ends: Uint32Array; readonly bytes: Uint8Array; readonly nowMs: number };

/** `moved`: what changes hands instead of being copied. */
export function toWorker(message: ToPlanner): { readonly crossing: ToWorker; readonly moved: readonly ArrayBuffer[] } {
  if (message.kind === "load") return { crossing: { kind: "load", snapshot: encodeSnapshot(message.state) }, moved: [] };
  if (message.kind !== "applied") return { crossing: message, moved: [] };
  return packEntries(message);
}

function packEntries({ entries, nowMs }: Applied): ReturnType<typeof toWorker> {
  const encoded = entries.map((entry) => encodeEntry(entry, proposalCodec));
  const bytes = new Uint8Array(encoded.reduce((sum, one) => sum + one.length, 0));
  const ends = new Uint32Array(encoded.length);
  let end = 0;
  for (const [at, one] of encoded.entries()) {
    bytes.set(one, end);
    end += one.length;
    ends[at] = end;
  }
  const crossing = { kind: "applied", first: entries[0]?.index ?? 0, ends, bytes, nowMs } as const;
  return { crossing, moved: [ends.buffer, bytes.buffer] };
}

/** The other end of `toWorker`. */
export function fromHost(message: ToWorker): ToPlanner {
  if (message.kind === "load") return { kind: "load", state: decodeSnapshot(message.snapshot) };
  if (message.kind !== "applied") return message;
  const { first, ends, bytes, nowMs } = message;
  const entries: Entry<Proposal>[] = [];
  let from = 0;
  for (const [at, end] of ends.entries()) {
    entries.push(committedEntry(bytes.subarray(from, end), logIndex(first + at), proposalCodec));
    from = end;
  }
  return { kind: "applied", entries, nowMs };
}
