import { type MemberId, QuorateError } from "../../core/base/index.ts";
import type { Message } from "../../core/raft/index.ts";
import { BeatCodec } from "./beats.ts";
import { crc32c } from "./crc32c.ts";
import { EntryUndecodable } from "./entries.ts";
import { countOf, type Fields, fieldsOf } from "./fields.ts";
import {
  type CommandCodec,
  type DecodedFrame,
  type EncodedFrame,
  FRAME_BYTES_MAX,
  type FrameCodec,
  type FrameRefusal,
  WIRE_VERSION,
} from "./frame.ts";
import { laneOf, messageFromPlain, messageToPlain } from "./messages.ts";
import { packBytes, unpackBytes } from "./msgpack.ts";
import type { ClusterId } from "./names.ts";

/** A version byte and the CRC-32C of what follows, big-endian. The version stands outside, so that any later one can tell. */
const PREFIX_BYTES = 5;

export class FrameError extends QuorateError<{ readonly code: FrameRefusal; readonly sizeBytes?: number }> {
  override readonly name = "FrameError";
}

/** Wraps a plain value as a frame: version, checksum, msgpack. Throws `FRAME_TOO_LARGE`. */
export function sealFrame(value: unknown): Uint8Array {
  const body = packBytes(value);
  const sizeBytes = body.length + PREFIX_BYTES;
  if (sizeBytes > FRAME_BYTES_MAX) {
    throw new FrameError(`a frame of ${sizeBytes} bytes exceeds the limit of ${FRAME_BYTES_MAX}`, { code: "FRAME_TOO_LARGE", sizeBytes });
  }
  const bytes = Buffer.allocUnsafe(sizeBytes);
  bytes[0] = WIRE_VERSION;
  bytes.writeUInt32BE(crc32c(body), 1);
  bytes.set(body, PREFIX_BYTES);
  return bytes;
}

export type OpenedFrame =
  | { readonly kind: "fields"; readonly fields: Fields }
  | { readonly kind: "refused"; readonly code: FrameRefusal; readonly reason: string };

/** Checks size, version and checksum of foreign bytes, in this order, before anything is parsed. Never throws. */
export function openFrame(bytes: Uint8Array): OpenedFrame {
  const refused = (code: FrameRefusal, reason: string): OpenedFrame => ({ kind: "refused", code, reason });
  if (bytes.length > FRAME_BYTES_MAX) return refused("FRAME_TOO_LARGE", `${bytes.length} bytes, limit ${FRAME_BYTES_MAX}`);
  if (bytes.length <= PREFIX_BYTES) return refused("FRAME_DAMAGED", `${bytes.length} bytes are no frame`);
  if (bytes[0] !== WIRE_VERSION) {
    return refused("FRAME_VERSION", `the peer speaks protocol version ${bytes[0]}, this node speaks ${WIRE_VERSION}`);
  }
  const body = bytes.subarray(PREFIX_BYTES);
  const written = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  if (crc32c(body) !== written) return refused("FRAME_DAMAGED", "the checksum does not hold");
  try {
    return { kind: "fields", fields: fieldsOf(unpackBytes(body), "frame") };
  } catch (cause) {
    return refused("FRAME_MALFORMED", cause instanceof Error ? cause.message : String(cause));
  }
}

export type CodecOptions<C> = { readonly cluster: ClusterId; readonly self: MemberId; readonly commands: CommandCodec<C> };

/** The codec of Raft's messages (RAFT.md §9): `{cluster, from, to, boot, term, kind, ...}`. */
export function createFrameCodec<C>(options: CodecOptions<C>): FrameCodec<Message<C>> {
  const beats = new BeatCodec(options.cluster, options.self);
  return {
    encode: (to, message) => {
      const bytes = beats.encode(to, message);
      return bytes === null ? encode(options, to, message) : { bytes, ...laneOf(message.kind) };
    },
    decode: (from, bytes) => {
      const message = beats.decode(from, bytes);
      return message === null ? decode(options, from, bytes) : { kind: "message", message };
    },
  };
}

function encode<C>(options: CodecOptions<C>, to: MemberId, message: Message<C>): EncodedFrame {
  const address = { cluster: options.cluster, from: options.self, to };
  return { bytes: sealFrame({ ...address, ...messageToPlain(message, options.commands) }), ...laneOf(message.kind) };
}

function decode<C>(options: CodecOptions<C>, from: MemberId, bytes: Uint8Array): DecodedFrame<Message<C>> {
  const opened = openFrame(bytes);
  if (opened.kind === "refused") return opened;
  const { fields } = opened;
  const refused = (code: FrameRefusal, reason: string): DecodedFrame<Message<C>> => ({ kind: "refused", code, reason });
  if (fields["cluster"] !== options.cluster) return refused("FRAME_OTHER_CLUSTER", `the frame is for cluster ${String(fields["cluster"])}`);
  if (fields["from"] !== from)
    return refused("FRAME_OTHER_MEMBER", `the frame says it is from ${String(fields["from"])}, the link is of ${from}`);
  // A wiped and rejoined node has a new id; what was meant for the old one must not reach it (RAFT.md §6, amnesia).
  if (fields["to"] !== options.self) return refused("FRAME_OTHER_MEMBER", `the frame is for member ${String(fields["to"])}`);
  try {
    countOf(fields["boot"], "boot");
    const message = messageFromPlain(fields, options.commands);
    return message === null ? { kind: "unknown", name: String(fields["kind"]) } : { kind: "message", message };
  } catch (cause) {
    if (cause instanceof EntryUndecodable) return { kind: "undecodable", error: cause };
    return refused("FRAME_MALFORMED", cause instanceof Error ? cause.message : String(cause));
  }
}
