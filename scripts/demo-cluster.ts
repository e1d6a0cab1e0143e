import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ApiClient, ApiFault, connectApi } from "../src/io/api/index.ts";

/** Milliseconds between two looks at something that is about to happen. */
const LOOK_MS = 25;

export type DemoNode = {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly socketPath: string;
};

export type DemoRoom = "daemon" | "guardian";
export type DemoPlan = { readonly base: string; readonly nodes: readonly DemoNode[]; readonly servicePort: number };

/** The checkout, whether this file runs from it or from `dist`. `QUORATE_LIVE_ROOT` names another installation to test. */
export function checkoutRoot(): string {
  const named = process.env["QUORATE_LIVE_ROOT"];
  if (named !== undefined && named !== "") return named;
  let place = dirname(fileURLToPath(import.meta.url));
  while (place !== dirname(place)) {
    try {
      if (readFileSync(join(place, "package.json"), "utf8").includes('"name": "quorate"')) return place;
    } catch {
      // Not here: go on upwards.
    }
    place = dirname(place);
  }
  throw new Error("the checkout was not found above this file");
}

/** Several nodes on this machine: each a directory with daemon and guardian, on loopback ports of their own. */
export class DemoCluster {
  readonly root = checkoutRoot();
  readonly base: string;
  readonly nodes: readonly DemoNode[];
  readonly servicePort: number;
  /** The latest start of each program, by node and room: tests signal it and wait for its end. */
  readonly #children = new Map<string, ChildProcess>();
  readonly #clients = new Map<string, ApiClient>();

  protected constructor({ base, nodes, servicePort }: DemoPlan) {
    this.base = base;
    this.nodes = nodes;
    this.servicePort = servicePort;
  }

  static async create(base: string, size: number): Promise<DemoCluster> {
    return new DemoCluster(await DemoCluster.plan(base, size));
  }

  /** Directories below `base` and free ports for so many nodes. */
  protected static async plan(base: string, size: number): Promise<DemoPlan> {
    const real = realpathSync(base);
    const ports = await freePorts(size + 1);
    const nodes = ports.slice(0, size).map((port, index) => {
      const directory = join(real, `n${index + 1}`);
      return { name: `n${index + 1}`, directory, port, socketPath: join(directory, "run", "api.sock") };
    });
    return { base: real, nodes, servicePort: ports[size]! };
  }

  get serviceUrl(): string {
    return `http://127.0.0.1:${this.servicePort}/`;
  }

  node(name: string): DemoNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  /** Starts guardian and daemon of a node; they outlive this process if it is told to leave them. */
  start(node: DemoNode): void {
    mkdirSync(node.directory, { recursive: true });
    this.startGuardian(node);
    this.startDaemon(node);
  }

  /** Settings of every daemon, for its next start. Directories for temporary files may be in memory, so that is allowed. */
  configureDaemons(settings: Readonly<Record<string, unknown>> = {}): void {
    for (const node of this.nodes) {
      mkdirSync(node.directory, { recursive: true });
      writeFileSync(join(node.directory, "quorated.json"), JSON.stringify({ fileSystem: "memory", ...settings }));
    }
  }

  startGuardian(node: DemoNode): void {
    this.#spawn(node, "quorate-guardian", "guardian", argumentsOf(node, "quorate-guardian"));
  }

  startDaemon(node: DemoNode, host = "127.0.0.1"): void {
    this.#spawn(node, "quorated", "daemon", argumentsOf(node, "quorated", host));
  }

  /** What a person types to start a program of the node again. */
  startLine(node: DemoNode, program: "quorate-guardian" | "quorated"): string {
    const log = join(node.directory, `${program}.log`);
    return `${join(this.root, "scripts", program)} ${argumentsOf(node, program).join(" ")} >>${log} 2>&1`;
  }

  /** The pid of the node's daemon or guardian, or null when it does not run. */
  pidOf(node: DemoNode, room: DemoRoom): number | null {
    const found = this.processes(node).find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`app/${room}/main`));
    return found ?? null;
  }

  #spawn(node: DemoNode, name: string, room: DemoRoom, args: readonly string[]): void {
    const log = openSync(join(node.directory, `${name}.log`), "a");
    const program = join(this.root, "dist", "src", "app", room, "main.js");
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", log, log], detached: true });
    this.#children.set(`${node.name} ${room}`, child);
    child.unref();
  }

  /** Sends a signal to the daemon or guardian started last and, for deadly ones, waits for its end; gives its exit code. */
  async signal(node: DemoNode, room: DemoRoom, name: NodeJS.Signals): Promise<number | null> {
    const end = this.ended(node, room);
    this.#child(node, room).kill(name);
    if (name === "SIGSTOP" || name === "SIGCONT") return null;
    const code = await end;
    if (room === "daemon") this.#forget(node);
    return code;
  }

  /** Waits for the end of the daemon or guardian started last; gives its exit code, null for one that a signal ended. */
  ended(node: DemoNode, room: DemoRoom): Promise<number | null> {
    const child = this.#child(node, room);
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
    // Who waits for it does not end before it.
    child.ref();
    return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  }

  #child(node: DemoNode, room: DemoRoom): ChildProcess {
    const child = this.#children.get(`${node.name} ${room}`);
    if (child === undefined) throw new Error(`no ${room} of ${node.name}`);
    return child;
  }

  /** A connection to the node's daemon, waiting until it listens. */
  async api(node: DemoNode, timeoutMs = 15_000): Promise<ApiClient> {
    const known = this.#clients.get(node.name);
    if (known !== undefined && !known.closed) return known;
    const untilMs = Date.now() + timeoutMs;
    for (;;) {
      try {
        const client = await connectApi({ kind: "unix", path: node.socketPath });
        this.#clients.set(node.name, client);
        return client;
      } catch (error) {
        if (Date.now() > untilMs) throw new Error(`${node.name} does not answer; its log:\n${this.logTail(node)}`, { cause: error });
      }
      await sleep(LOOK_MS);
    }
  }

  async request(node: DemoNode, method: string, params: unknown = {}, timeoutMs = 60_000): Promise<Record<string, unknown>> {
    const api = await this.api(node);
    return (await api.request(method, params, { timeoutMs })) as Record<string, unknown>;
  }

  /** Forms the cluster: the first node makes it, the others join with tokens, one of them perhaps as a witness. */
  async form(name: string, settings: Readonly<Record<string, unknown>> = {}, roles: { readonly witness?: DemoNode } = {}): Promise<void> {
    this.configureDaemons(settings);
    const [first, ...others] = this.nodes;
    if (first === undefined) throw new Error("a cluster needs a node");
    for (const node of this.nodes) this.start(node);
    await this.request(first, "cluster.init", { name, node: first.name });
    for (const node of others) {
      const { token } = await this.request(first, "cluster.token");
      const witness = node === roles.witness ? { witness: true } : {};
      await this.request(node, "cluster.join", { address: `127.0.0.1:${first.port}`, token, node: node.name, ...witness });
    }
  }

  /** Runs the command line of the checkout against a node; `input` is a text of commands. Returns what it printed. */
  quorate(node: DemoNode, args: readonly string[], input?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(join(this.root, "scripts", "quorate"), ["--socket", node.socketPath, ...args], {
        stdio: ["pipe", "pipe", "pipe"],
      });
      let out = "";
      let errors = "";
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.stderr.on("data", (chunk: Buffer) => {
        errors += chunk.toString();
      });
      child.on("error", reject);
      child.on("close", (code) => {
        if (code === 0) resolve(out);
        else reject(new Error(`quorate ${args.join(" ")} ended with ${code}: ${errors}${out}`));
      });
      child.stdin.end(input ?? "");
    });
  }

  /** Every live process of a node: daemon, guardian, and what the guardian spawned, told by the marker it gives them. */
  processes(node: DemoNode): number[] {
    const found: number[] = [];
    for (const entry of readdirSync("/proc")) {
      if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
      if (belongsTo(Number(entry), node.directory)) found.push(Number(entry));
    }
    return found;
  }

  /** SIGSTOP to everything of the node: from outside it is silent, as in a power cut; nothing of it can clean up. */
  freeze(node: DemoNode): number[] {
    const pids = this.signalAll(node, "SIGSTOP");
    this.#forget(node);
    return pids;
  }

  /** Sends a signal to every live process of the node; gives their ids. */
  signalAll(node: DemoNode, name: NodeJS.Signals): number[] {
    const pids = this.processes(node);
    for (const pid of pids) sendSignal(pid, name);
    return pids;
  }

  #forget(node: DemoNode): void {
    this.#clients.get(node.name)?.close();
    this.#clients.delete(node.name);
  }

  /** Kills what is left of the nodes and removes their directories. */
  async destroy(): Promise<void> {
    this.disconnect();
    for (let round = 0; round < 100; round += 1) {
      const left = this.nodes.flatMap((node) => this.processes(node));
      if (left.length === 0) break;
      for (const pid of left) sendSignal(pid, "SIGKILL");
      await sleep(LOOK_MS);
    }
    const left = this.nodes.flatMap((node) => this.processes(node));
    if (left.length > 0) throw new Error(`processes that do not end: ${left.join(" ")}`);
    if (process.env["KEEP"] === undefined) rmSync(this.base, { recursive: true, force: true });
  }

  disconnect(): void {
    for (const node of this.nodes) this.#forget(node);
  }

  /** The last lines of the node's two logs. */
  logTail(node: DemoNode, lines = 15): string {
    const texts = ["quorated.log", "quorate-guardian.log"].map((file) => {
      try {
        return `--- ${node.name} ${file}\n${readFileSync(join(node.directory, file), "utf8").trim().split("\n").slice(-lines).join("\n")}`;
      } catch {
        return `--- ${node.name} ${file}: none`;
      }
    });
    return texts.join("\n");
  }
}

function argumentsOf(node: DemoNode, program: "quorate-guardian" | "quorated", host = "127.0.0.1"): readonly string[] {
  const rest = program === "quorated" ? ["--listen", `${host}:${node.port}`] : ["--self-fence", "kill"];
  return ["--dir", node.directory, "--node", node.name, ...rest];
}

/** The guardian's marker in the environment, or one of our programs with this directory among its arguments. */
function belongsTo(pid: number, directory: string): boolean {
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
    if (state === "Z" || state === "X") return false;
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (args.includes(directory) && args.some((word) => /app\/(daemon|guardian)\/main/.test(word))) return true;
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`QUORATE_NODE_DIR=${directory}`);
  } catch {
    // Gone since the listing, or not ours to read.
    return false;
  }
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks until `found` gives something; fails with `what` after `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  found: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  const untilMs = Date.now() + timeoutMs;
  for (;;) {
    let last: unknown = null;
    try {
      const value = await found();
      if (value !== null && value !== undefined && value !== false) return value;
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      last = error;
    }
    if (Date.now() > untilMs) throw new Error(`not within ${timeoutMs} ms: ${what}`, last === null ? {} : { cause: last });
    await sleep(LOOK_MS);
  }
}

/** Ports that nobody listens on now. They are bound together first, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
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
