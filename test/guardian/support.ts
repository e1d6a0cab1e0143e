import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { incarnation, logIndex, term } from "../../src/core/base/index.ts";
import type { AgentAction, FromGuardian, IntentOrigin, StopPlan, StopStep, ToGuardian } from "../../src/core/ports/index.ts";
import { hasMarkers, listProcesses, signal } from "../../src/io/agents/index.ts";
import { encodeFrame, FrameReader, readFromGuardian } from "../../src/io/executor/index.ts";

/** The checkout, from `test` as from `dist/test`. */
export const ROOT = checkout();
const COMPILED = fileURLToPath(import.meta.url).endsWith(".js");
/** Longest wait for something that must happen, milliseconds: generous, because the machine may be busy. */
export const PATIENCE_MS = 20_000;

function checkout(): string {
  let place = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(place, "package.json"))) place = dirname(place);
  return place;
}

/** An action of our dummy agent; everything may be overridden. */
export function action(over: Partial<AgentAction> = {}): AgentAction {
  return {
    resource: "r1",
    agentClass: "ocf",
    provider: "quorate",
    type: "dummy",
    operation: "start",
    intervalMs: 0,
    timeoutMs: 10_000,
    params: {},
    meta: {},
    node: "n1",
    target: null,
    ...over,
  };
}

export function step(over: Partial<AgentAction> & { readonly exclusive?: boolean; readonly stage?: number } = {}): StopStep {
  const { exclusive = true, stage = 0, ...rest } = over;
  const stop = action({ operation: "stop", ...rest });
  return { resource: stop.resource, exclusive, stage, action: stop };
}

export function plan(version: number, steps: readonly StopStep[]): StopPlan {
  return { version, steps };
}

export function origin(of: { readonly term: number; readonly incarnation: string; readonly index?: number }): IntentOrigin {
  return { term: term(of.term), index: logIndex(of.index ?? 1), incarnation: incarnation(of.incarnation) };
}

/** One side of the conversation as a test sees it: what was heard waits until it is asked for. */
export class Conversation {
  readonly #heard: FromGuardian[] = [];
  #wake: (() => void) | null = null;
  readonly socket: Socket;
  closed = false;

  constructor(path: string) {
    this.socket = createConnection(path);
    const reader = new FrameReader();
    this.socket.on("data", (chunk) => {
      for (const value of reader.push(chunk)) this.#heard.push(readFromGuardian(value));
      this.#wake?.();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.#wake?.();
    });
  }

  send(message: ToGuardian): void {
    this.socket.write(encodeFrame(message));
  }

  /** The first message of a kind (and, if asked, that fits) not yet taken; waits for it, fails after `PATIENCE_MS`. */
  async next<Kind extends FromGuardian["kind"]>(
    kind: Kind,
    fits: (message: Extract<FromGuardian, { readonly kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<FromGuardian, { readonly kind: Kind }>> {
    type Wanted = Extract<FromGuardian, { readonly kind: Kind }>;
    const message = await this.first((candidate) => candidate.kind === kind && fits(candidate as Wanted), kind);
    return message as Wanted;
  }

  /** The first message not yet taken that fits. */
  async first(fits: (message: FromGuardian) => boolean, what: string): Promise<FromGuardian> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const at = this.#heard.findIndex(fits);
      const found = at >= 0 ? this.#heard.splice(at, 1)[0] : undefined;
      if (found !== undefined) return found;
      if (this.closed) throw new Error(`the link closed before ${what}; heard: ${this.#heard.map((item) => item.kind).join(" ")}`);
      await this.#more(until, what);
    }
  }

  /** Waits until the guardian has closed the link. */
  async end(): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    while (!this.closed) await this.#more(until, "the end");
  }

  get heard(): readonly FromGuardian[] {
    return this.#heard;
  }

  #more(until: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${what}; heard: ${JSON.stringify(this.#heard).slice(0, 2000)}`)),
        Math.max(0, until - performance.now()),
      );
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}

/** A guardian process in a directory of its own. Never resets the host: self-fence is always `kill` here. */
export class GuardianUnderTest {
  readonly directory: string;
  readonly ledger: string;
  #child: ChildProcess | null = null;
  #output = "";

  constructor(settings: Readonly<Record<string, unknown>> = {}) {
    this.directory = mkdtempSync(join(tmpdir(), "qg-"));
    this.ledger = join(this.directory, "ledger");
    mkdirSync(join(this.directory, "run"));
    writeFileSync(join(this.directory, "guardian.json"), JSON.stringify({ node: "n1", ...settings, selfFence: "kill" }));
  }

  get socketPath(): string {
    return join(this.directory, "run", "guardian.sock");
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  /** Of node: the compiled program for compiled tests, else the source. */
  get arguments(): string[] {
    const program = COMPILED ? [join(ROOT, "dist/src/app/guardian/main.js")] : ["--import", "tsx", join(ROOT, "src/app/guardian/main.ts")];
    return [...program, "--dir", this.directory];
  }

  /** Starts the process; resolves when it takes connections. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, this.arguments, { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the guardian did not start: ${this.#output}`)), PATIENCE_MS);
      child.stderr?.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString();
        if (!this.#output.includes('"guardian started"')) return;
        clearTimeout(timer);
        resolve();
      });
      child.on("exit", () => reject(new Error(`the guardian ended: ${this.#output}`)));
    });
    await eventually(() => existsSync(join(this.directory, "run", "guardian.pid")), "the pid file");
  }

  /** Ends it the way the kernel would. */
  async kill(how: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(how);
    await gone;
    this.#output = "";
  }

  /** A link that has said hello, with the welcome. */
  async connect(over: Partial<Extract<ToGuardian, { readonly kind: "hello" }>> = {}): Promise<{
    readonly link: Conversation;
    readonly welcome: Extract<FromGuardian, { readonly kind: "welcome" }>;
  }> {
    const link = new Conversation(this.socketPath);
    link.send({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1, ...over });
    return { link, welcome: await link.next("welcome") };
  }

  /**
   * Ends it and starts it anew without its deadline. D never moves back, so this is how a test that first needed time to start
   * things gets a near one without racing the clock.
   */
  async restartWithoutDeadline(): Promise<void> {
    await this.kill();
    writeFileSync(join(this.directory, "run", "guardian.deadline"), "");
    await this.start();
  }

  ledgerLines(): { readonly resource: string; readonly operation: string; readonly pid: number }[] {
    if (!existsSync(this.ledger)) return [];
    return readFileSync(this.ledger, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([, , resource = "", operation = "", pid = "0"]) => ({ resource, operation, pid: Number(pid) }));
  }

  /** Kills the process and whatever its actions left, and removes the directory. */
  async dispose(): Promise<void> {
    await this.kill();
    for (const info of listProcesses()) {
      if (hasMarkers(info.pid, [`QUORATE_NODE_DIR=${this.directory}`])) signal(info.pid, "SIGKILL");
    }
    await this.#removeCgroup();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Killed processes leave their control groups a moment later. */
  async #removeCgroup(): Promise<void> {
    const file = join(this.directory, "run", "cgroup");
    if (!existsSync(file)) return;
    const root = readFileSync(file, "utf8").trim();
    for (let round = 0; round < 50 && existsSync(root); round += 1) {
      spawnSync("find", [root, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], { stdio: "ignore" });
      if (existsSync(root)) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Polls until true: for facts of the operating system that announce themselves to nobody. */
export async function eventually(fact: () => boolean, what: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!fact()) {
    if (performance.now() > until) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
