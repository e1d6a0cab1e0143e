import type { MemberId } from "../../core/base/index.ts";

/** Version of the frame layout. A peer that speaks another closes the link with a reason (RAFT.md §9). */
export const WIRE_VERSION = 1;
/** Frames above this are neither built nor read, bytes. */
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Which queue of a link a message waits in. `urgent`: votes, heartbeats, every reply; never behind data. `ordinary`:
 * appends and proposals. `bulk`: snapshot chunks, only when nothing else waits.
 */
export type Lane = "urgent" | "ordinary" | "bulk";

export type EncodedFrame = {
  readonly bytes: Uint8Array;
  readonly lane: Lane;
  /** A full queue drops the oldest others first; votes stay (RAFT.md §6, limits). */
  readonly isVote: boolean;
};

export type FrameRefusal =
  | "FRAME_TOO_LARGE"
  | "FRAME_DAMAGED"
  | "FRAME_VERSION"
  | "FRAME_OTHER_CLUSTER"
  | "FRAME_OTHER_MEMBER"
  | "FRAME_MALFORMED";

export type DecodedFrame<M> =
  | { readonly kind: "message"; readonly message: M }
  /** A kind of message that this version does not know: skipped, as RAFT.md §9 asks. */
  | { readonly kind: "unknown"; readonly name: string }
  | { readonly kind: "refused"; readonly code: FrameRefusal; readonly reason: string }
  /** A whole append whose entry nobody here understands: the node must stop before it acknowledges it (STYLE.md §6). */
  | { readonly kind: "undecodable"; readonly error: Error };

/** Messages to bytes and back, for one member's end of its links. Never throws on foreign bytes. */
export interface FrameCodec<M> {
  /** Throws `FRAME_TOO_LARGE` instead of building a frame above `FRAME_BYTES_MAX`. */
  encode(to: MemberId, message: M): EncodedFrame;
  /** `from` is the member that the link's certificate names; a frame that claims another sender is refused. */
  decode(from: MemberId, bytes: Uint8Array): DecodedFrame<M>;
}

/** A command of the replicated state machine to bytes and back; `decode` throws on bytes that are no command. */
export interface CommandCodec<C> {
  encode(command: C): Uint8Array;
  decode(bytes: Uint8Array): C;
}
