export { type CodecOptions, createFrameCodec, FrameError, type OpenedFrame, openFrame, sealFrame } from "./codec.ts";
export { crc32c } from "./crc32c.ts";
export {
  committedEntry,
  configurationFromPlain,
  configurationToPlain,
  decodeEntry,
  EntryUndecodable,
  encodeEntry,
  entryIdFromPlain,
  entryIdToPlain,
  MEMBERS_MAX,
  packedEntry,
  snapshotFromPlain,
  snapshotToPlain,
} from "./entries.ts";
export { bytesOf, countOf, type Fields, fieldsOf, flagOf, listOf, Malformed, nullable, numberOf, oneOf, textOf } from "./fields.ts";
export {
  type CommandCodec,
  type DecodedFrame,
  type EncodedFrame,
  FRAME_BYTES_MAX,
  type FrameCodec,
  type FrameRefusal,
  type Lane,
  WIRE_VERSION,
} from "./frame.ts";
export { byteRanges } from "./lazy-entry.ts";
export { packBytes, unpackBytes } from "./msgpack.ts";
export { type ClusterId, formatPeerUri, isClusterId, type PeerName, parsePeerUri, peerNameOf } from "./names.ts";
