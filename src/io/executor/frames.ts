import { Packr } from "msgpackr";
import { QuorateError } from "../../core/base/index.ts";
import type { FromGuardian, ToGuardian } from "../../core/ports/index.ts";

/** Largest frame between daemon and guardian, bytes without its length word. */
export const GUARDIAN_FRAME_MAX_BYTES = 4 * 1024 * 1024;
const LENGTH_BYTES = 4;

// Plain maps instead of msgpackr records: a frame must be readable without the frames before it.
const packr = new Packr({ useRecords: false });

/** One frame: a 4-byte big-endian length and msgpack. Throws `GUARDIAN_FRAME_TOO_LARGE`. */
export function encodeFrame(message: ToGuardian | FromGuardian): Buffer {
  const body = packr.pack(message);
  if (body.length > GUARDIAN_FRAME_MAX_BYTES) {
    throw new QuorateError(`a ${message.kind} message of ${body.length} bytes exceeds the frame limit`, {
      code: "GUARDIAN_FRAME_TOO_LARGE",
      sizeBytes: body.length,
      limitBytes: GUARDIAN_FRAME_MAX_BYTES,
    });
  }
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, LENGTH_BYTES);
  return frame;
}

/**
 * Cuts a byte stream into decoded frames. Throws `GUARDIAN_FRAME_TOO_LARGE` as soon as the length word says so (nothing
 * is buffered for it) and `GUARDIAN_BAD_MESSAGE` for bytes that are no msgpack; the link is to be closed then.
 */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): unknown[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const messages: unknown[] = [];
    for (;;) {
      if (this.#held.length < LENGTH_BYTES) return messages;
      const sizeBytes = this.#held.readUInt32BE(0);
      if (sizeBytes > GUARDIAN_FRAME_MAX_BYTES) {
        throw new QuorateError(`a frame of ${sizeBytes} bytes exceeds the limit`, {
          code: "GUARDIAN_FRAME_TOO_LARGE",
          sizeBytes,
          limitBytes: GUARDIAN_FRAME_MAX_BYTES,
        });
      }
      if (this.#held.length < LENGTH_BYTES + sizeBytes) return messages;
      const body = this.#held.subarray(LENGTH_BYTES, LENGTH_BYTES + sizeBytes);
      this.#held = this.#held.subarray(LENGTH_BYTES + sizeBytes);
      messages.push(decode(body));
    }
  }
}

function decode(body: Buffer): unknown {
  try {
    return packr.unpack(body);
  } catch (cause) {
    throw new QuorateError("a frame is not valid msgpack", { code: "GUARDIAN_BAD_MESSAGE" }, cause);
  }
}
