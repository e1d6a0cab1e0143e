import type { EncodedFrame, Lane } from "../wire/index.ts";
import { SEND_QUEUE_BYTES_MAX } from "./limits.ts";

const LANES: readonly Lane[] = ["urgent", "ordinary", "bulk"];
/** Which lane loses its oldest message first: what is cheapest to send again. */
const DROP_ORDER: readonly Lane[] = ["bulk", "ordinary", "urgent"];

/** What waits for one peer: three lanes, each in order, bounded together in bytes. */
export class SendQueue {
  readonly #lanes: Readonly<Record<Lane, EncodedFrame[]>> = { urgent: [], ordinary: [], bulk: [] };
  readonly #limitBytes: number;
  #bytes = 0;
  #dropped = 0;
  constructor(limitBytes: number = SEND_QUEUE_BYTES_MAX) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(frame: EncodedFrame): void {
    this.#lanes[frame.lane].push(frame);
    this.#bytes += frame.bytes.length;
    while (this.#bytes > this.#limitBytes && this.#dropOldest());
  }

  #dropOldest(): boolean {
    for (const lane of DROP_ORDER) {
      const at = this.#lanes[lane].findIndex((frame) => !frame.isVote);
      if (at === -1) continue;
      const [dropped] = this.#lanes[lane].splice(at, 1);
      this.#bytes -= dropped?.bytes.length ?? 0;
      this.#dropped += 1;
      return true;
    }
    return false;
  }

  /** The lane of the next message; null when nothing waits. */
  nextLane(): Lane | null {
    return LANES.find((lane) => this.#lanes[lane].length > 0) ?? null;
  }

  take(): EncodedFrame | null {
    const lane = this.nextLane();
    const frame = lane === null ? undefined : this.#lanes[lane].shift();
    if (frame === undefined) return null;
    this.#bytes -= frame.bytes.length;
    return frame;
  }

  /** Forgets everything: a link that comes up later must not begin with messages of long ago. */
  clear(): void {
    for (const lane of LANES) {
      this.#dropped += this.#lanes[lane].length;
      this.#lanes[lane].length = 0;
    }
    this.#bytes = 0;
  }
}
