import { incarnation, invariant, type LogIndex, logIndex, type MemberId, memberId, type Term, term } from "../../core/base/index.ts";
import type { Configuration, Entry, EntryId, Member, SnapshotMeta } from "../../core/raft/index.ts";
import { bytesOf, countOf, fieldsOf, flagOf, listOf, Malformed, nullable, textOf } from "./fields.ts";
import type { CommandCodec } from "./frame.ts";
import { encodedData, LazyEntry, lazyEntry } from "./lazy-entry.ts";
import { packBytes, unpackBytes } from "./msgpack.ts";

/** Members in one configuration (RAFT.md §6, limits). */
export const MEMBERS_MAX = 32;
const ADDRESSES_MAX = 8;

const KIND_EMPTY = 0;
const KIND_DATA = 1;
const KIND_CONFIG = 2;

const byId = (a: readonly [MemberId, ...unknown[]], b: readonly [MemberId, ...unknown[]]): number => a[0] - b[0];

/** Lists sorted by id in the place of maps and sets: equal configurations give equal bytes on every machine. */
export function configurationToPlain(configuration: Configuration): unknown {
  const numbers = (set: ReadonlySet<MemberId>): MemberId[] => [...set].sort((a, b) => a - b);
  return {
    voters: [...configuration.voters].sort(byId),
    outgoing: [...configuration.outgoing].sort(byId),
    learners: numbers(configuration.learners),
    learnersNext: numbers(configuration.learnersNext),
    witnesses: numbers(configuration.witnesses),
    autoLeave: configuration.autoLeave,
    members: [...configuration.members].sort(byId).map(([id, member]) => [id, memberToPlain(member)]),
  };
}

export function memberToPlain(member: Member): unknown {
  return { name: member.name, addresses: [...member.addresses], incarnation: member.incarnation };
}

export const idFrom = (value: unknown, what: string): MemberId => {
  const id = countOf(value, what);
  if (id === 0) throw new Malformed(`${what} is 0`);
  return memberId(id);
};
export const termFrom = (value: unknown, what: string): Term => term(countOf(value, what));
export const indexFrom = (value: unknown, what: string): LogIndex => logIndex(countOf(value, what));

export function memberFromPlain(value: unknown): Member {
  const fields = fieldsOf(value, "member");
  return {
    name: textOf(fields["name"], "member name", 256),
    addresses: listOf(fields["addresses"], "addresses", ADDRESSES_MAX).map((one) => textOf(one, "address", 256)),
    incarnation: nullable(fields["incarnation"], (one) => incarnation(textOf(one, "incarnation", 64))),
  };
}

export function configurationFromPlain(value: unknown): Configuration {
  const fields = fieldsOf(value, "configuration");
  const pairs = <T>(name: string, read: (value: unknown) => T): ReadonlyMap<MemberId, T> =>
    new Map(
      listOf(fields[name], name, MEMBERS_MAX).map((pair) => {
        const [id, one] = listOf(pair, name, 2);
        return [idFrom(id, name), read(one)] as const;
      }),
    );
  const ids = (name: string): ReadonlySet<MemberId> => new Set(listOf(fields[name], name, MEMBERS_MAX).map((id) => idFrom(id, name)));
  return {
    voters: pairs("voters", (votes) => countOf(votes, "votes")),
    outgoing: pairs("outgoing", (votes) => countOf(votes, "votes")),
    learners: ids("learners"),
    learnersNext: ids("learnersNext"),
    witnesses: ids("witnesses"),
    autoLeave: flagOf(fields["autoLeave"], "autoLeave"),
    members: pairs("members", memberFromPlain),
  };
}

export function entryIdToPlain(id: EntryId): unknown {
  return { term: id.term, index: id.index };
}

export function entryIdFromPlain(value: unknown, what: string): EntryId {
  const fields = fieldsOf(value, what);
  return { term: termFrom(fields["term"], `${what} term`), index: indexFrom(fields["index"], `${what} index`) };
}

export function snapshotToPlain(meta: SnapshotMeta): unknown {
  return {
    last: entryIdToPlain(meta.last),
    configuration: configurationToPlain(meta.configuration),
    sizeBytes: meta.sizeBytes,
    hash: meta.hash,
  };
}

export function snapshotFromPlain(value: unknown): SnapshotMeta {
  const fields = fieldsOf(value, "snapshot");
  return {
    last: entryIdFromPlain(fields["last"], "snapshot position"),
    configuration: configurationFromPlain(fields["configuration"]),
    sizeBytes: countOf(fields["sizeBytes"], "snapshot size"),
    hash: textOf(fields["hash"], "snapshot hash", 64),
  };
}

/**
 * Bytes of entries that are still alive. An entry is encoded once for the disk and all its followers; the bytes go when
 * the core lets go of the entry.
 */
const encoded = new WeakMap<object, Uint8Array>();

/** The entry of a command that is new: encoded now, and once. */
export function packedEntry<C>(id: EntryId, command: C, commands: CommandCodec<C>): Entry<C> {
  const data = commands.encode(command);
  const bytes = encodedData(id.term, KIND_DATA, data) ?? packBytes([id.term, KIND_DATA, data]);
  return new LazyEntry(id, bytes, data.length, commands, command);
}

/** `[term, kind, data]` in msgpack; the index is known from where the entry stands. The same in packs and frames. */
export function encodeEntry<C>(entry: Entry<C>, commands: CommandCodec<C>): Uint8Array {
  if (entry instanceof LazyEntry) return entry.encoded;
  const known = encoded.get(entry);
  if (known !== undefined) return known;
  const bytes = packBytes(entryToPlain(entry, commands));
  encoded.set(entry, bytes);
  return bytes;
}

function entryToPlain<C>(entry: Entry<C>, commands: CommandCodec<C>): readonly unknown[] {
  switch (entry.kind) {
    case "empty":
      return [entry.term, KIND_EMPTY, null];
    case "data":
      return [entry.term, KIND_DATA, commands.encode(entry.data)];
    case "config":
      return [entry.term, KIND_CONFIG, configurationToPlain(entry.configuration)];
  }
}

/** Bytes that are whole (their checksum held) and still are no entry of ours: a newer version wrote them. Stops the node. */
export class EntryUndecodable extends Error {
  override readonly name = "EntryUndecodable";
}

/** Reads an entry back. Throws `EntryUndecodable`, because what cannot be read must not be acknowledged (STYLE.md §6). */
export function decodeEntry<C>(bytes: Uint8Array, index: LogIndex, commands: CommandCodec<C>): Entry<C> {
  invariant(index > 0, "an entry stands at an index above 0");
  try {
    const lazy = lazyEntry(bytes, index, KIND_DATA, commands);
    if (lazy !== null) return lazy.know();
    const [rawTerm, kind, data] = listOf(unpackBytes(bytes), "entry", 3);
    const id = { term: termFrom(rawTerm, "entry term"), index };
    const entry = entryFrom(id, kind, data, commands);
    encoded.set(entry, bytes);
    return entry;
  } catch (cause) {
    throw new EntryUndecodable(`entry ${index} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Reads an entry of the own store that was committed before: its command is decoded when it is applied. That is in the first
 * step of a start, so one that this version does not know still stops the node before it speaks.
 */
export function committedEntry<C>(bytes: Uint8Array, index: LogIndex, commands: CommandCodec<C>): Entry<C> {
  return lazyEntry(bytes, index, KIND_DATA, commands) ?? decodeEntry(bytes, index, commands);
}

function entryFrom<C>(id: EntryId, kind: unknown, data: unknown, commands: CommandCodec<C>): Entry<C> {
  if (kind === KIND_EMPTY) return { ...id, kind: "empty" };
  if (kind === KIND_DATA) return { ...id, kind: "data", data: commands.decode(bytesOf(data, "command")) };
  if (kind === KIND_CONFIG) return { ...id, kind: "config", configuration: configurationFromPlain(data) };
  throw new Malformed(`entry kind ${String(kind)} is not known`);
}
