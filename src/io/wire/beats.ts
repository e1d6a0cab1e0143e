import { logIndex, type MemberId, term } from "../../core/base/index.ts";
import type { MemberState, Message } from "../../core/raft/index.ts";
import { crc32c } from "./crc32c.ts";
import { WIRE_VERSION } from "./frame.ts";
import type { ClusterId } from "./names.ts";

/*
 * Heartbeats and their answers are nearly all that an idle cluster says, forty times a second at a leader. Here they are
 * written and read field by field: the bytes are those of the general codec, and whatever looks otherwise is left to it.
 */

type Beat = Extract<Message<never>, { readonly kind: "heartbeat" | "heartbeatReply" }>;

/** Version byte and checksum. */
const PREFIX_BYTES = 5;
/** Longest frame of these kinds: keys, two ids and nine numbers of nine bytes. */
const BYTES_MAX = 320;
const HEARTBEAT_FIELDS = 12;
const REPLY_FIELDS = 11;
const STATES: readonly MemberState[] = ["normal", "recovering", "learner"];

/** msgpack of a text of less than 32 bytes. */
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0xa0 | value.length]), Buffer.from(value)]);
const keys = (...names: readonly string[]): readonly Buffer[] => names.map(text);

const HEADER = keys("term", "boot");
const HEARTBEAT = Buffer.concat(keys("kind", "heartbeat"));
const HEARTBEAT_KEYS = keys("commit", "leaderCommit", "round", "quorumAgeMs", "echoMs", "echoBoot");
const REPLY = Buffer.concat(keys("kind", "heartbeatReply"));
const REPLY_KEYS = keys("round", "nonceMs", "storeAgeMs", "applied");
const STATE = text("state");
const STATE_TEXTS = STATES.map(text);

/** Fills a buffer of its own; `ok` falls when a number has a form that is left to the general codec. */
class Writer {
  readonly #bytes = Buffer.alloc(BYTES_MAX);
  #at = PREFIX_BYTES;
  ok = true;

  begin(fields: number, address: Buffer): void {
    this.#at = PREFIX_BYTES;
    this.ok = true;
    this.#bytes[this.#at++] = 0x80 | fields;
    this.raw(address);
  }

  raw(part: Buffer): void {
    for (let at = 0; at < part.length; at += 1) this.#bytes[this.#at++] = part[at]!;
  }

  number(value: number | null): void {
    if (value === null) this.#bytes[this.#at++] = 0xc0;
    else if (!Number.isSafeInteger(value) || value < 0) this.ok = false;
    else if (value < 0x80) this.#bytes[this.#at++] = value;
    else if (value < 0x100) this.#tagged(0xcc, value, 1);
    else if (value < 0x1_0000) this.#tagged(0xcd, value, 2);
    else if (value < 0x1_0000_0000) this.#tagged(0xce, value, 4);
    else {
      this.#bytes[this.#at++] = 0xcb;
      this.#at = this.#bytes.writeDoubleBE(value, this.#at);
    }
  }

  #tagged(tag: number, value: number, size: number): void {
    this.#bytes[this.#at++] = tag;
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) this.#bytes[this.#at++] = (value >>> shift) & 0xff;
  }

  fields(names: readonly Buffer[], values: readonly (number | null)[]): void {
    for (let at = 0; at < names.length; at += 1) {
      this.raw(names[at]!);
      this.number(values[at]!);
    }
  }

  seal(): Buffer {
    const bytes = Buffer.from(this.#bytes.subarray(0, this.#at));
    bytes[0] = WIRE_VERSION;
    bytes.writeUInt32BE(crc32c(bytes.subarray(PREFIX_BYTES)), 1);
    return bytes;
  }
}

/** Walks foreign bytes; anything that is not as expected gives NaN or false, never an error. */
class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(part: Buffer): boolean {
    for (let at = 0; at < part.length; at += 1) if (this.#bytes[this.#at + at] !== part[at]) return false;
    this.#at += part.length;
    return true;
  }

  number(): number {
    const tag = this.#bytes[this.#at++] ?? 0xc1;
    if (tag < 0x80) return tag;
    const size = tag === 0xcc ? 1 : tag === 0xcd ? 2 : tag === 0xce ? 4 : tag === 0xcb ? 8 : 0;
    if (size === 0 || this.#at + size > this.#bytes.length) return Number.NaN;
    const value = size === 8 ? this.#bytes.readDoubleBE(this.#at) : this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return Number.isSafeInteger(value) && value >= 0 ? value : Number.NaN;
  }

  nullable(): number | null {
    if (this.#bytes[this.#at] !== 0xc0) return this.number();
    this.#at += 1;
    return null;
  }

  field(name: Buffer): number {
    return this.skip(name) ? this.number() : Number.NaN;
  }

  maybe(name: Buffer): number | null {
    return this.skip(name) ? this.nullable() : Number.NaN;
  }
}

/** The two kinds for one member's end of its links; null: not one of them, or not in the usual form. */
export class BeatCodec {
  readonly #cluster: ClusterId;
  readonly #self: MemberId;
  readonly #writer = new Writer();
  readonly #addresses = new Map<string, Buffer>();

  constructor(cluster: ClusterId, self: MemberId) {
    this.#cluster = cluster;
    this.#self = self;
  }

  encode(to: MemberId, message: Message<unknown>): Uint8Array | null {
    const writer = this.#writer;
    if (message.kind === "heartbeat") {
      writer.begin(HEARTBEAT_FIELDS, this.#address(this.#self, to));
      writer.fields(HEADER, [message.term, message.boot]);
      writer.raw(HEARTBEAT);
      const { commit, leaderCommit, round, quorumAgeMs, echoMs, echoBoot } = message;
      writer.fields(HEARTBEAT_KEYS, [commit, leaderCommit, round, quorumAgeMs, echoMs, echoBoot]);
    } else if (message.kind === "heartbeatReply") {
      writer.begin(REPLY_FIELDS, this.#address(this.#self, to));
      writer.fields(HEADER, [message.term, message.boot]);
      writer.raw(REPLY);
      writer.fields(REPLY_KEYS, [message.round, message.nonceMs, message.storeAgeMs, message.applied]);
      writer.raw(STATE);
      writer.raw(STATE_TEXTS[STATES.indexOf(message.state)]!);
    } else return null;
    return writer.ok ? writer.seal() : null;
  }

  decode(from: MemberId, bytes: Uint8Array): Beat | null {
    const fields = (bytes[PREFIX_BYTES] ?? 0) - 0x80;
    if (bytes[0] !== WIRE_VERSION || bytes.length > BYTES_MAX || (fields !== HEARTBEAT_FIELDS && fields !== REPLY_FIELDS)) return null;
    const reader = new Reader(bytes, PREFIX_BYTES + 1);
    if (!reader.skip(this.#address(from, this.#self))) return null;
    const header = { term: reader.field(HEADER[0]!), boot: reader.field(HEADER[1]!) };
    if (Number.isNaN(header.term + header.boot)) return null;
    const beat = fields === HEARTBEAT_FIELDS ? heartbeat(reader, header) : reply(reader, header);
    if (beat === null || !reader.ended) return null;
    const written = ((bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!) >>> 0;
    return crc32c(bytes.subarray(PREFIX_BYTES)) === written ? beat : null;
  }

  /** `cluster`, `from` and `to` as the first three fields. Peers are few, so these are kept. */
  #address(from: MemberId, to: MemberId): Buffer {
    const id = `${from} ${to}`;
    const known = this.#addresses.get(id);
    if (known !== undefined) return known;
    const writer = new Writer();
    writer.begin(0, text("cluster"));
    writer.raw(text(this.#cluster));
    writer.fields(keys("from", "to"), [from, to]);
    const made = Buffer.from(writer.seal().subarray(PREFIX_BYTES + 1));
    this.#addresses.set(id, made);
    return made;
  }
}

type Header = { readonly term: number; readonly boot: number };

function heartbeat(reader: Reader, header: Header): Beat | null {
  if (!reader.skip(HEARTBEAT)) return null;
  const [commitKey, leaderCommitKey, roundKey, ageKey, echoKey, echoBootKey] = HEARTBEAT_KEYS as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const [commit, leaderCommit, round] = [reader.field(commitKey), reader.field(leaderCommitKey), reader.field(roundKey)];
  const [quorumAgeMs, echoMs, echoBoot] = [reader.maybe(ageKey), reader.maybe(echoKey), reader.field(echoBootKey)];
  if (Number.isNaN(commit + leaderCommit + round + (quorumAgeMs ?? 0) + (echoMs ?? 0) + echoBoot)) return null;
  return {
    term: term(header.term),
    boot: header.boot,
    kind: "heartbeat",
    commit: logIndex(commit),
    leaderCommit: logIndex(leaderCommit),
    round,
    quorumAgeMs,
    echoMs,
    echoBoot,
  };
}

function reply(reader: Reader, header: Header): Beat | null {
  if (!reader.skip(REPLY)) return null;
  const [roundKey, nonceKey, storeAgeKey, appliedKey] = REPLY_KEYS as [Buffer, Buffer, Buffer, Buffer];
  const [round, nonceMs] = [reader.field(roundKey), reader.field(nonceKey)];
  const [storeAgeMs, applied] = [reader.field(storeAgeKey), reader.field(appliedKey)];
  if (Number.isNaN(round + nonceMs + storeAgeMs + applied) || !reader.skip(STATE)) return null;
  const state = STATES.find((_, at) => reader.skip(STATE_TEXTS[at]!));
  if (state === undefined) return null;
  return {
    term: term(header.term),
    boot: header.boot,
    kind: "heartbeatReply",
    round,
    nonceMs,
    storeAgeMs,
    applied: logIndex(applied),
    state,
  };
}
