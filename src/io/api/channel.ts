import type { Socket } from "node:net";
import type { WebSocket } from "ws";

/** One frame in, one frame out, whatever carries them. */
export interface Channel {
  send(text: string): void;
  /** Bytes handed to `send` that the other side has not taken yet. */
  backlogBytes(): number;
  /** Calls back once, when the backlog has become small. */
  whenDrained(then: () => void): void;
  close(): void;
  listen(events: ChannelEvents): void;
}

export type ChannelEvents = {
  readonly onFrame: (text: string) => void;
  /** A frame over the limit or bytes that are no UTF-8: the place of the next frame is unknown, so the channel ends. */
  readonly onBroken: (code: "API_FRAME_TOO_LARGE" | "API_NOT_UTF8") => void;
  readonly onClose: () => void;
};

/** Milliseconds a closed connection gets to take the last answer. */
const CLOSE_LINGER_MS = 1_000;
/** Frames that are written together, characters. */
const GATHER_CHARACTERS_MAX = 64 * 1024;
const NEWLINE = 0x0a;

/** Newline-delimited text over a socket. `frameBytesMax` bounds what one frame may keep in memory. */
export function lineChannel(socket: Socket, frameBytesMax: number): Channel {
  let parts: Buffer[] = [];
  let partBytes = 0;
  let events: ChannelEvents | null = null;
  let ended = false;
  /** Frames of this turn of the event loop: many answers that are ready together cost one write. */
  let outgoing = "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const flush = (): void => {
    const text = outgoing;
    outgoing = "";
    if (text !== "" && !socket.destroyed && socket.writable) socket.write(text);
  };

  const broken = (code: "API_FRAME_TOO_LARGE" | "API_NOT_UTF8"): void => {
    if (ended) return;
    ended = true;
    parts = [];
    events?.onBroken(code);
  };
  const emit = (line: Buffer): void => {
    if (line.length === 0) return;
    let text: string;
    try {
      text = decoder.decode(line);
    } catch {
      broken("API_NOT_UTF8");
      return;
    }
    events?.onFrame(text);
  };
  const onData = (chunk: Buffer): void => {
    let from = 0;
    while (!ended) {
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
      if (partBytes + piece.length > frameBytesMax) {
        broken("API_FRAME_TOO_LARGE");
        return;
      }
      if (end < 0) {
        if (piece.length > 0) parts.push(piece);
        partBytes += piece.length;
        return;
      }
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      parts = [];
      partBytes = 0;
      from = end + 1;
      emit(line);
    }
  };
  return {
    send: (text) => {
      if (outgoing === "") process.nextTick(flush);
      outgoing += `${text}\n`;
      // A long answer is not gathered: joining it to others would copy it.
      if (outgoing.length > GATHER_CHARACTERS_MAX) flush();
    },
    backlogBytes: () => socket.writableLength + outgoing.length,
    whenDrained: (then) => {
      flush();
      if (socket.writableNeedDrain) socket.once("drain", then);
      else setImmediate(then);
    },
    close: () => {
      ended = true;
      flush();
      socket.end();
      // Meanwhile what still arrives is read and dropped: closing over unread bytes would destroy our last answer too.
      setTimeout(() => socket.destroy(), CLOSE_LINGER_MS).unref();
    },
    listen: (to) => {
      events = to;
      socket.on("data", onData);
      // The fault itself is told by "close", which always follows; without this listener it would end the process.
      socket.on("error", () => {});
      socket.on("close", () => {
        ended = true;
        to.onClose();
      });
    },
  };
}

/** How often a ws connection that lags is looked at again, milliseconds: ws tells no drain event. */
const WS_DRAIN_CHECK_MS = 50;

/** Text frames of a ws connection. The frame limit is the `maxPayload` that the ws server or client was made with. */
export function webSocketChannel(socket: WebSocket): Channel {
  return {
    send: (text) => {
      if (socket.readyState === socket.OPEN) socket.send(text);
    },
    backlogBytes: () => socket.bufferedAmount,
    whenDrained: (then) => {
      const look = (): void => {
        if (socket.readyState !== socket.OPEN) return;
        if (socket.bufferedAmount === 0) then();
        else setTimeout(look, WS_DRAIN_CHECK_MS).unref();
      };
      setImmediate(look);
    },
    close: () => socket.close(),
    listen: (events) => {
      socket.on("message", (data, isBinary) => {
        if (isBinary) events.onBroken("API_NOT_UTF8");
        else events.onFrame(String(data));
      });
      socket.on("error", () => {});
      socket.on("close", () => events.onClose());
    },
  };
}
