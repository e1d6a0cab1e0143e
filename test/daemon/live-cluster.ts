import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ApiClient, ApiFault, connectApi } from "../../src/io/api/index.ts";

const LOOK_MS = 20;

export type LiveNode = { readonly name: string; readonly directory: string; readonly port: number; readonly socket: string };

/** The checkout; programs run from its `dist`, as in production. `QUORATE_LIVE_ROOT` names another installation to test. */
export function checkoutRoot(): string {
  const named = process.env["QUORATE_LIVE_ROOT"];
  if (named !== undefined && named !== "") return named;
  let place = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(place, "package.json"))) place = dirname(place);
  return place.endsWith("dist") ? dirname(place) : place;
}

/** Real daemons and guardians on loopback ports of this machine. */
export class LiveCluster {
  readonly base: string;
  readonly nodes: readonly LiveNode[];
  readonly ledger: string;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #clients = new Map<string, ApiClient>();

  private constructor(base: string, nodes: readonly LiveNode[]) {
    this.base = base;
    this.nodes = nodes;
    this.ledger = join(base, "ledger");
  }

  /**
   * `selfFenceMs` is long by default: on a busy machine a daemon may need many seconds to come back, and these tests are
   * about what happens when it does. With `witness` the last node is one.
   */
  static async formed(
    size: number,
    options: { readonly selfFenceMs?: number; readonly witness?: boolean; readonly settings?: Readonly<Record<string, unknown>> } = {},
  ): Promise<LiveCluster> {
    // Unix sockets take 107 bytes of path, so the directory must be near the root.
    const base = mkdtempSync(join("/var/tmp", "qt-"));
    const ports = await freePorts(size);
    const nodes = ports.map((port, at) => {
      const name = `n${at + 1}`;
      const directory = join(base, name);
      return { name, directory, port, socket: join(directory, "run", "api.sock") };
    });
    const cluster = new LiveCluster(base, nodes);
    for (const node of nodes) {
      mkdirSync(node.directory, { recursive: true });
      writeFileSync(
        join(node.directory, "quorated.json"),
        JSON.stringify({ selfFenceMs: options.selfFenceMs ?? 40_000, ...options.settings }),
      );
      cluster.startGuardian(node);
      cluster.startDaemon(node);
    }
    const [first, ...others] = nodes;
    if (first === undefined) throw new Error("a cluster needs a node");
    await cluster.request(first, "cluster.init", { name: "live" });
    for (const node of others) {
      const { token } = (await cluster.request(first, "cluster.token")) as { token: string };
      const witness = options.witness === true && node === nodes.at(-1);
      await cluster.request(node, "cluster.join", { address: `127.0.0.1:${first.port}`, token, ...(witness ? { witness } : {}) });
    }
    await cluster.until("all nodes online", 20_000, async () => {
      const status = await cluster.status(first);
      return status.nodes.length === size && status.nodes.every((node) => node.state === "online");
    });
    return cluster;
  }

  node(name: string): LiveNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  startDaemon(node: LiveNode): void {
    this.#spawn(node, "daemon", ["--dir", node.directory, "--node", node.name, "--listen", `127.0.0.1:${node.port}`]);
  }

  startGuardian(node: LiveNode): void {
    this.#spawn(node, "guardian", ["--dir", node.directory, "--node", node.name, "--self-fence", "kill"]);
  }

  #spawn(node: LiveNode, room: "daemon" | "guardian", args: readonly string[]): void {
    const log = openSync(join(node.directory, `${room}.log`), "a");
    const program = join(checkoutRoot(), "dist", "src", "app", room, "main.js");
    const child = spawn(process.execPath, ["--enable-source-maps", program, ...args], { stdio: ["ignore", log, log], detached: true });
    child.unref();
    this.#processes.set(`${node.name} ${room}`, child);
  }

  /** Sends a signal to a daemon or guardian and, for deadly ones, waits for its end. */
  async signal(node: LiveNode, room: "daemon" | "guardian", signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#processes.get(`${node.name} ${room}`);
    if (child === undefined) throw new Error(`no ${room} of ${node.name}`);
    const ended = child.exitCode !== null || child.signalCode !== null;
    const end = new Promise<number | null>((resolve) => (ended ? resolve(child.exitCode) : child.once("exit", (code) => resolve(code))));
    child.kill(signal);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return null;
    const code = await end;
    if (room === "daemon") this.#forget(node);
    return code;
  }

  #forget(node: LiveNode): void {
    this.#clients.get(node.name)?.close();
    this.#clients.delete(node.name);
  }

  async client(node: LiveNode, timeoutMs = 20_000): Promise<ApiClient> {
    const known = this.#clients.get(node.name);
    if (known !== undefined && !known.closed) return known;
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      try {
        const client = await connectApi({ kind: "unix", path: node.socket });
        this.#clients.set(node.name, client);
        return client;
      } catch (error) {
        if (Date.now() > endMs) throw new Error(`${node.name} does not answer\n${this.logTail(node, 8)}`, { cause: error });
        await pause();
      }
    }
  }

  async request(node: LiveNode, method: string, params: unknown = {}, timeoutMs = 60_000): Promise<unknown> {
    const client = await this.client(node);
    return client.request(method, params, { timeoutMs });
  }

  async status(node: LiveNode): Promise<LiveStatus> {
    return (await this.request(node, "status")) as LiveStatus;
  }

  async until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      try {
        if (await holds()) return;
      } catch (error) {
        if (!(error instanceof ApiFault)) throw error;
      }
      if (Date.now() > endMs)
        throw new Error(`not within ${timeoutMs} ms: ${what}\n${this.nodes.map((node) => this.logTail(node)).join("\n")}`);
      await pause();
    }
  }

  /** Lines of the common ledger: `<nanoseconds> <node> <resource> <action> <pid>`. */
  ledgerLines(): readonly (readonly string[])[] {
    if (!existsSync(this.ledger)) return [];
    return readFileSync(this.ledger, "utf8")
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "));
  }

  /** Every live process of a node. */
  processes(node: LiveNode): number[] {
    const found: number[] = [];
    for (const entry of readdirSync("/proc")) {
      if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
      if (belongsTo(Number(entry), node.directory)) found.push(Number(entry));
    }
    return found;
  }

  signalAll(node: LiveNode, signal: NodeJS.Signals): void {
    for (const pid of this.processes(node)) sendSignal(pid, signal);
  }

  async destroy(): Promise<void> {
    for (const node of this.nodes) this.#forget(node);
    for (let round = 0; round < 200; round += 1) {
      const left = this.nodes.flatMap((node) => this.processes(node));
      if (left.length === 0) break;
      for (const pid of left) sendSignal(pid, "SIGKILL");
      await pause();
    }
    if (process.env["KEEP"] === undefined) rmSync(this.base, { recursive: true, force: true });
  }

  logTail(node: LiveNode, lines = 25): string {
    return ["daemon", "guardian"]
      .map((room) => {
        const path = join(node.directory, `${room}.log`);
        return existsSync(path)
          ? `--- ${node.name} ${room}\n${readFileSync(path, "utf8").trim().split("\n").slice(-lines).join("\n")}`
          : "";
      })
      .join("\n");
  }
}

export type LiveStatus = {
  readonly quorate: boolean;
  readonly leader: { readonly node: string } | null;
  readonly index: number;
  readonly epoch: number;
  readonly nodes: readonly { readonly name: string; readonly state: string; readonly incarnation: string | null }[];
  readonly fencing: {
    readonly pending: readonly unknown[];
    readonly history: readonly { readonly by: string; readonly ok: boolean; readonly target: string }[];
  };
  readonly transition: { readonly state: string };
};

function belongsTo(pid: number, directory: string): boolean {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (args.includes(directory) && args.some((word) => /app\/(daemon|guardian)\/main/.test(word))) return true;
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`QUORATE_NODE_DIR=${directory}`);
  } catch {
    return false;
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export function pause(ms = LOOK_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
