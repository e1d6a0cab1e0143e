import { createConnection, createServer, type Server, type Socket } from "node:net";

type Frame = { readonly id: number; readonly method?: string };

/**
 * Stands between a client and a daemon's API socket, and sees every request and answer as a line. An answer for which
 * `onAnswer` returns false is dropped and both sides are cut: what a daemon that dies at that moment looks like.
 */
export class ApiProxy {
  readonly path: string;
  /** Requests seen, by method. */
  readonly seen = new Map<string, number>();
  onAnswer: (method: string, count: number) => boolean = () => true;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(path: string, target: string) {
    this.path = path;
    this.#server = createServer((client) => this.#serve(client, target));
  }

  static async start(path: string, target: string): Promise<ApiProxy> {
    const proxy = new ApiProxy(path, target);
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    return proxy;
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket, target: string): void {
    const daemon = createConnection(target);
    const methods = new Map<number, string>();
    const cut = (): void => {
      client.destroy();
      daemon.destroy();
    };
    for (const socket of [client, daemon]) {
      this.#open.add(socket);
      socket.on("error", cut);
      socket.on("close", () => {
        this.#open.delete(socket);
        cut();
      });
    }
    eachLine(client, (line) => {
      const { id, method = "" } = JSON.parse(line) as Frame;
      methods.set(id, method);
      this.seen.set(method, (this.seen.get(method) ?? 0) + 1);
      daemon.write(`${line}\n`);
    });
    eachLine(daemon, (line) => {
      const method = methods.get((JSON.parse(line) as Frame).id) ?? "";
      if (this.onAnswer(method, this.seen.get(method) ?? 0)) client.write(`${line}\n`);
      else cut();
    });
  }
}

function eachLine(socket: Socket, then: (line: string) => void): void {
  let parts: string[] = [];
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      then(parts.join("") + line);
      parts = [];
    }
    parts.push(rest);
  });
}
