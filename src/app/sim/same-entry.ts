import type { Proposal } from "../../core/cib/index.ts";
import type { Entry } from "../../core/raft/index.ts";
import { encodeEntry } from "../../io/wire/index.ts";
import { proposalCodec } from "../daemon/index.ts";

/** An entry's content as it is stored and sent. To read the command of an entry costs more than all that watchers do with it. */
export function contentOf(entry: Entry<Proposal>): Uint8Array {
  return encodeEntry(entry, proposalCodec);
}

/** Members of a world are handed the same bytes unless a disk lies between. */
export function isSameContent(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}
