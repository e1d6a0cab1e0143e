import { chmod, mkdir, unlink } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { WebSocket } from "ws";
import { type Channel, lineChannel, webSocketChannel } from "./channel.ts";
import type { ApiCaller, ApiHandler, ApiLog, Connection } from "./connection.ts";
import { fault, toApiError } from "./fault.ts";
import { CONNECTIONS_MAX, REQUEST_BYTES_MAX } from "./limits.ts";

export type ApiServerOptions = {
  /** Path of the Unix socket; its directory is made when missing. At most 107 bytes (the kernel's limit). */
  readonly socketPath: string;
  /** File mode of the socket. Whoever can open it may do everything: members of the file's group are operators. */
  readonly socketMode?: number;
  readonly handler: ApiHandler;
  readonly log: ApiLog;
};

export interface ApiServer {
  readonly socketPath: string;
  /** Serves a ws connection that the daemon accepted on the path `/api` of its TLS port (`maxPayload` REQUEST_BYTES_MAX). */
  acceptWebSocket(socket: WebSocket, caller: ApiCaller): void;
  connectionCount(): number;
  close(): Promise<void>;
}

const SOCKET_PATH_BYTES_MAX = 107;

/**
 * Listens on the Unix socket. Throws `API_SOCKET_IN_USE` when another process answers there; a socket file that
 * nobody listens on was left by a crash and is replaced.
 */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  // Loaded here and not at the top: clients share this door and start faster without the validator.
  const { serveConnection } = await import("./connection.ts");
  const connections = new Set<Connection>();
  const accept = (channel: Channel, caller: ApiCaller): void => {
    if (connections.size >= CONNECTIONS_MAX) {
      const error = toApiError(fault("API_BUSY", `at most ${CONNECTIONS_MAX} connections`, { retryable: true }));
      channel.listen({ onFrame: () => {}, onBroken: () => {}, onClose: () => {} });
      channel.send(JSON.stringify({ v: 1, id: 0, ok: false, error }));
      channel.close();
      return;
    }
    const connection = serveConnection(channel, caller, options.handler, options.log, () => connections.delete(connection));
    connections.add(connection);
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    accept(lineChannel(socket, REQUEST_BYTES_MAX), { kind: "local" });
  });
  await listen(server, options.socketPath, options.socketMode ?? 0o660);
  return {
    socketPath: options.socketPath,
    acceptWebSocket: (socket, caller) => accept(webSocketChannel(socket), caller),
    connectionCount: () => connections.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.close();
        // Ended sockets get this long to take their last bytes; a reader that hangs must not hold up the shutdown.
        setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, 200).unref();
      }),
  };
}

async function listen(server: Server, path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw fault(
      "API_SOCKET_PATH_TOO_LONG",
      `the socket path ${path} is longer than ${SOCKET_PATH_BYTES_MAX} bytes; choose a shorter directory`,
    );
  }
  await mkdir(dirname(path), { recursive: true });
  if (await answers(path)) throw fault("API_SOCKET_IN_USE", `another process listens on ${path}`);
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  // The mask applies while the file is made, so that no moment exists in which anybody may connect.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } finally {
    process.umask(before);
  }
  await chmod(path, mode);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    const done = (answer: boolean): void => {
      probe.destroy();
      resolve(answer);
    };
    probe.once("connect", () => done(true));
    probe.once("error", () => done(false));
  });
}
