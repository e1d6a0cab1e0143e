export { crc32c } from "./crc32c.ts";
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
export { type ClusterId, formatPeerUri, isClusterId, type PeerName, parsePeerUri, peerNameOf } from "./names.ts";
