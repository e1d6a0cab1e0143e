import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiClient, ApiFault, connectApi } from "../../src/io/api/index.ts";
import { checkoutRoot, Lab } from "./lab.ts";
import { type LedgerLine, noteOff, readLedger } from "./ledger.ts";
import { PowerSwitch } from "./power-switch.ts";
import { FifoWatchdog } from "./watchdog.ts";

/** Milliseconds between two looks at something that is about to happen. */
const LOOK_MS = 20;
/** Milliseconds that a host stays dark after it has reset itself. */
const RESET_MS = 500;
const PORT = 7100;
/** Twd, milliseconds. */
const WATCHDOG_MS = 2_000;

export type ClusterOptions = {
  readonly size: number;
  readonly rings?: 1 | 2;
  /** F and Tself of all daemons, milliseconds; absent: the product's defaults. */
  readonly timing?: { readonly nodeLossMs: number; readonly selfFenceMs: number };
  /** Each host has a watchdog device. */
  readonly watchdogs?: boolean;
  /** The host that joins as a witness. */
  readonly witness?: string;
  /** Bytes of log after which a daemon takes a snapshot; absent: the product's default. */
  readonly snapshotLogBytes?: number;
  /** Lines of environment for the daemons, for example of a preloaded library. */
  readonly daemonEnvironment?: Readonly<Record<string, string>>;
  /** Called with the directory of each disk before the hosts are booted. */
  readonly prepareDisk?: (directory: string) => Promise<void>;
  /** Called when no host has power any more, before the directories of the disks are removed. */
  readonly releaseDisks?: () => Promise<void>;
};

export type Status = {
  readonly phase: string;
  readonly quorate: boolean;
  readonly stale: boolean;
  readonly leader: { readonly node: string } | null;
  readonly term: number;
  readonly index: number;
  readonly epoch: number;
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
  readonly fencing: {
    readonly pending: readonly { readonly target: string }[];
    readonly history: readonly { readonly target: string; readonly by: string; readonly ok: boolean; readonly reason: string }[];
  };
  readonly transition: { readonly state: string };
  readonly policyFailure: unknown;
};

export function pause(ms = LOOK_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The product on the hosts of a lab: guardian and daemon on each, restarted as systemd would, and a power switch. */
export class LabCluster {
  readonly lab: Lab;
  readonly names: readonly string[];
  /** Shared with every host under the same path: the ledger, the requests of the power switch, the logs. */
  readonly shared: string;
  readonly ledgerPath: string;
  readonly #rings: number;
  readonly #options: ClusterOptions;
  readonly #clients = new Map<string, ApiClient>();
  /** First process of each host that has power; absent: off on purpose. */
  readonly #powered = new Map<string, number>();
  /** The last power action of each host: they must not run into one another. */
  readonly #power = new Map<string, Promise<void>>();
  readonly powerSwitch: PowerSwitch;
  readonly #watchdogs = new Map<string, FifoWatchdog>();
  /** Hosts that a scenario has harmed so far: those and no others may have been fenced. */
  readonly harmed = new Set<string>();
  #watch: NodeJS.Timeout | null = null;
  #ended = false;
  readonly began = Date.now();

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.#rings = options.rings ?? 1;
    this.names = Array.from({ length: options.size }, (_, at) => `n${at + 1}`);
    this.shared = mkdtempSync("/var/tmp/quorate-shared-");
    this.ledgerPath = join(this.shared, "ledger");
    mkdirSync(join(this.shared, "power"));
    mkdirSync(join(this.shared, "logs"));
    this.lab = new Lab({ bind: [checkoutRoot(), this.shared] });
    this.powerSwitch = new PowerSwitch(join(this.shared, "power"), (action, target) => this.#serve(action, target));
    for (const name of options.watchdogs === true ? this.names : []) {
      const path = join(this.shared, `watchdog-${name}`);
      this.#watchdogs.set(name, new FifoWatchdog(path, { timeoutMs: WATCHDOG_MS, onExpired: () => this.#watchdogFires(name) }));
    }
  }

  /** Boots the hosts, starts the programs, and forms the cluster. What was begun is taken down when that fails. */
  static async formed(options: ClusterOptions): Promise<LabCluster> {
    const cluster = await LabCluster.booted(options);
    try {
      await cluster.#form();
      return cluster;
    } catch (error) {
      process.stderr.write(`${cluster.logTails()}\n`);
      await cluster.destroy();
      throw error;
    }
  }

  static async booted(options: ClusterOptions): Promise<LabCluster> {
    const cluster = new LabCluster(options);
    live.add(cluster);
    try {
      for (const name of cluster.names) {
        mkdirSync(cluster.lab.data(name), { recursive: true });
        await options.prepareDisk?.(cluster.lab.data(name));
      }
      await cluster.lab.up(cluster.names.length, cluster.#rings);
      for (const name of cluster.names) {
        cluster.writeSettings(name);
        await cluster.#begin(name);
      }
      cluster.#watch = setInterval(() => cluster.#look(), LOOK_MS);
      return cluster;
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
  }

  async #form(): Promise<void> {
    const [first, ...others] = this.names;
    if (first === undefined) throw new Error("a cluster needs a node");
    await this.until("the first daemon answers", 20_000, async () => (await this.request(first, "ping")) !== null);
    await this.request(first, "cluster.init", { name: "lab" });
    for (const name of others) await this.join(name, first);
    await this.until("all nodes online", 30_000, async () => (await this.status(first)).nodes.every((node) => node.state === "online"));
  }

  /** Makes a host whose store is empty a member. */
  async join(name: string, by: string): Promise<void> {
    await this.until(`${name} answers`, 20_000, async () => (await this.request(name, "ping")) !== null);
    const { token } = (await this.request(by, "cluster.token")) as { token: string };
    const witness = name === this.#options.witness ? { witness: true } : {};
    await this.request(name, "cluster.join", { address: `${this.address(by)}:${PORT}`, token, ...witness });
  }

  /** Hosts that may run resources. */
  get dataNames(): readonly string[] {
    return this.names.filter((name) => name !== this.#options.witness);
  }

  address(name: string, ring = 0): string {
    return `10.97.${ring}.${name.slice(1)}`;
  }

  writeSettings(name: string): void {
    const directory = join(this.lab.data(name), "q");
    mkdirSync(directory, { recursive: true });
    const listen = Array.from({ length: this.#rings }, (_, ring) => `${this.address(name, ring)}:${PORT}`);
    const { timing, snapshotLogBytes } = this.#options;
    const daemon = { node: name, runDir: "/run/quorate", listen, ...timing, snapshotLogBytes };
    writeFileSync(join(directory, "quorated.json"), JSON.stringify(daemon));
    const agents = join(this.lab.root, "test", "chaos", "agents");
    const guardian = { node: name, runDir: "/run/quorate", selfFence: "reset", fenceDirectories: [agents] };
    const device = this.#watchdogs.get(name);
    const watchdog = device === undefined ? {} : { watchdog: device.path, watchdogMs: WATCHDOG_MS };
    writeFileSync(join(directory, "guardian.json"), JSON.stringify({ ...guardian, ...watchdog }));
  }

  /** Starts guardian and daemon on a host that has just got power. */
  async #begin(name: string): Promise<void> {
    const pid = this.lab.pid(name);
    if (pid === null) throw new Error(`${name} did not boot`);
    this.#powered.set(name, pid);
    await this.startPrograms(name);
  }

  async startPrograms(name: string): Promise<void> {
    await this.startProgram(name, "guardian");
    await this.startProgram(name, "daemon");
  }

  async startProgram(name: string, room: "daemon" | "guardian"): Promise<void> {
    const program = room === "daemon" ? "quorated" : "quorate-guardian";
    const environment =
      room === "daemon" ? Object.entries(this.#options.daemonEnvironment ?? {}).map(([key, value]) => `${key}=${value}`) : [];
    const log = join(this.shared, "logs", `${name}-${room}.log`);
    // The lab's `start` truncates; the story of a host goes on over its boots.
    const script = `exec "$@" >>"${log}" 2>&1`;
    const supervise = join(this.lab.root, "test", "chaos", "supervise.sh");
    const run = ["env", ...environment, join(this.lab.root, "scripts", program), "--dir", "/data/q"];
    await this.lab.run("start", name, "/dev/null", "sh", "-c", script, "sh", supervise, room, ...run);
  }

  /** Ends the daemon for good, until `startProgram`; its guardian goes on. */
  async endDaemon(name: string, signal: "KILL" | "TERM"): Promise<void> {
    const script = `pkill -KILL -f "[s]upervise.sh daemon"; kill -${signal} $(cat /run/daemon.pid); while kill -0 $(cat /run/daemon.pid) 2>/dev/null; do sleep 0.05; done`;
    await this.lab.exec(name, ["sh", "-c", script]);
    this.#forget(name);
  }

  /** Ends guardian and daemon for good, until `startPrograms`. */
  async endPrograms(name: string): Promise<void> {
    await this.lab.exec(name, [
      "sh",
      "-c",
      "pkill -KILL -f [s]upervise.sh; kill -KILL $(cat /run/daemon.pid /run/guardian.pid); rm -rf /run/quorate",
    ]);
    this.#forget(name);
  }

  // Power ------------------------------------------------------------------------------------------------------------

  /** Cuts the power; returns when nothing of the host is left, and the ledger says so. */
  off(name: string): Promise<void> {
    return this.#powerAction(name, async () => {
      this.#powered.delete(name);
      this.#forget(name);
      await this.lab.run("off", name);
      this.#watchdogs.get(name)?.disarm();
      noteOff(this.ledgerPath, name);
    });
  }

  #watchdogFires(name: string): void {
    if (this.#ended || !this.#powered.has(name)) return;
    this.say(`the watchdog of ${name} has fired`);
    const cycled = this.off(name).then(() => this.on(name));
    cycled.catch((error: unknown) => this.say(`${name} does not boot: ${String(error)}`));
  }

  on(name: string): Promise<void> {
    return this.#powerAction(name, async () => {
      if (this.#ended || this.#powered.has(name)) return;
      await this.lab.run("on", name);
      await this.#begin(name);
    });
  }

  #powerAction(name: string, act: () => Promise<void>): Promise<void> {
    const done = (this.#power.get(name) ?? Promise.resolve()).then(act);
    // The next one waits for the end of this one, whatever the end.
    this.#power.set(
      name,
      done.catch(() => {}),
    );
    return done;
  }

  /** Hosts that have reset themselves come back, as they would; requests of the power switch are served. */
  #look(): void {
    for (const [name, pid] of this.#powered) {
      if (isAlive(pid)) continue;
      this.#powered.delete(name);
      this.#forget(name);
      this.#watchdogs.get(name)?.disarm();
      noteOff(this.ledgerPath, name);
      this.say(`${name} has reset itself`);
      setTimeout(() => this.on(name).catch((error: unknown) => this.say(`${name} does not boot: ${String(error)}`)), RESET_MS);
    }
    this.powerSwitch.look();
  }

  async #serve(action: string, target: string): Promise<number> {
    if (this.#ended || !this.names.includes(target)) return 1;
    try {
      if (action === "status") return this.#powered.has(target) ? 0 : 2;
      this.say(`power switch: ${action} ${target}`);
      if (action === "off" || action === "reboot") await this.off(target);
      // A reboot is done when the power was off; the host comes back in its own time.
      if (action === "reboot") void this.on(target).catch((error: unknown) => this.say(`${target} does not boot: ${String(error)}`));
      if (action === "on") await this.on(target);
      return 0;
    } catch (error) {
      this.say(`power switch: ${action} ${target}: ${String(error)}`);
      return 1;
    }
  }

  isPowered(name: string): boolean {
    return this.#powered.has(name);
  }

  // Programs ---------------------------------------------------------------------------------------------------------

  /** Sends a signal to the daemon or guardian of a host. */
  async signal(name: string, room: "daemon" | "guardian", signal: "KILL" | "STOP" | "CONT" | "TERM"): Promise<void> {
    await this.lab.exec(name, ["sh", "-c", `kill -${signal} $(cat /run/${room}.pid)`]);
  }

  /** Pid of the daemon in its host; another one after every start. */
  async daemonPid(name: string): Promise<number> {
    return Number(await this.lab.exec(name, ["cat", "/run/daemon.pid"]));
  }

  async client(name: string): Promise<ApiClient> {
    const known = this.#clients.get(name);
    if (known !== undefined && !known.closed) return known;
    const client = await this.connect(name);
    this.#clients.set(name, client);
    return client;
  }

  /** A connection of one's own to the daemon of a host, through the host's root directory. */
  connect(name: string): Promise<ApiClient> {
    const pid = this.#powered.get(name);
    if (pid === undefined) return Promise.reject(new ApiFault(`${name} is off`, { code: "API_UNREACHABLE", retryable: true }));
    return connectApi({ kind: "unix", path: `/proc/${pid}/root/run/quorate/api.sock` });
  }

  async request(name: string, method: string, params: unknown = {}, timeoutMs = 30_000): Promise<unknown> {
    return (await this.client(name)).request(method, params, { timeoutMs });
  }

  async status(name: string): Promise<Status> {
    return (await this.request(name, "status", {}, 2_000)) as Status;
  }

  /** Every node's own view; null for those that do not answer. */
  async views(): Promise<ReadonlyMap<string, Status | null>> {
    const answers = await Promise.all(
      this.names.map(async (name): Promise<readonly [string, Status | null]> => {
        try {
          return [name, await this.status(name)];
        } catch (error) {
          if (error instanceof ApiFault) return [name, null];
          throw error;
        }
      }),
    );
    return new Map(answers);
  }

  /** The leader of the highest term that anybody knows of and that says so itself. */
  async leader(timeoutMs = 20_000): Promise<string> {
    let found = "";
    await this.until("there is a leader", timeoutMs, async () => {
      let term = -1;
      for (const [name, view] of await this.views()) {
        if (view === null || view.leader?.node !== name || view.term <= term || !view.quorate) continue;
        term = view.term;
        found = name;
      }
      return term >= 0;
    });
    return found;
  }

  async follower(): Promise<string> {
    const leader = await this.leader();
    const other = this.names.find((name) => name !== leader);
    if (other === undefined) throw new Error("there is no follower");
    return other;
  }

  /** Waits until the node has that state in the eyes of one of the others, which has quorum. */
  becomes(name: string, state: string, timeoutMs: number): Promise<void> {
    return this.until(`${name} is ${state}`, timeoutMs, async () => {
      for (const [viewer, view] of await this.views()) {
        if (viewer !== name && view?.quorate && view.nodes.some((node) => node.name === name && node.state === state)) return true;
      }
      return false;
    });
  }

  /** Notes that something is about to be done to these hosts for which they may be fenced. */
  harm(...names: readonly string[]): void {
    for (const name of names) this.harmed.add(name);
  }

  others(name: string): readonly string[] {
    return this.names.filter((other) => other !== name);
  }

  /** Runs `quorate` of the checkout on a host. */
  quorate(name: string, args: readonly string[], input = ""): Promise<string> {
    return this.lab.exec(name, [join(this.lab.root, "scripts", "quorate"), "--socket", "/run/quorate/api.sock", ...args], input);
  }

  ledger(): readonly LedgerLine[] {
    return readLedger(this.ledgerPath);
  }

  async until(what: string, timeoutMs: number, holds: () => Promise<boolean> | boolean): Promise<void> {
    const endMs = Date.now() + timeoutMs;
    let last: unknown = null;
    for (;;) {
      try {
        if (await holds()) return;
        last = null;
      } catch (error) {
        if (!(error instanceof ApiFault)) throw error;
        last = error;
      }
      if (this.#ended) throw new Error(`the lab was taken down before: ${what}`);
      if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`, last === null ? {} : { cause: last });
      await pause(50);
    }
  }

  /** One line of the story of this run, with the seconds since its beginning. */
  say(text: string): void {
    const line = `${((Date.now() - this.began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`;
    appendFileSync(join(this.shared, "logs", "story"), line);
    if (process.env["CHAOS_VERBOSE"] !== undefined) process.stdout.write(`    ${line}`);
  }

  story(): string {
    try {
      return readFileSync(join(this.shared, "logs", "story"), "utf8");
    } catch {
      return "";
    }
  }

  logTails(lines = 12): string {
    const directory = join(this.shared, "logs");
    return readdirSync(directory)
      .sort()
      .map((file) => `--- ${file}\n${readFileSync(join(directory, file), "utf8").trim().split("\n").slice(-lines).join("\n")}`)
      .join("\n");
  }

  #forget(name: string): void {
    this.#clients.get(name)?.close();
    this.#clients.delete(name);
  }

  /** Takes everything down; the shared directory with ledger and logs stays when `keepLogs`. */
  async destroy(keepLogs = false): Promise<void> {
    this.#ended = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    for (const name of this.names) this.#forget(name);
    for (const watchdog of this.#watchdogs.values()) watchdog.close();
    this.powerSwitch.close();
    this.#powered.clear();
    await Promise.all(this.#power.values());
    if (this.#options.releaseDisks !== undefined) {
      // Unless the lab never came up, in which case there is nobody to switch off.
      await this.lab.run("off", ...this.names).catch(() => {});
      await this.#options.releaseDisks();
    }
    await this.lab.down();
    rmSync(this.lab.directory, { recursive: true, force: true });
    if (!keepLogs) rmSync(this.shared, { recursive: true, force: true });
    live.delete(this);
  }
}

/** Clusters that exist now: an interrupted run takes them down. */
const live = new Set<LabCluster>();

export function destroyOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void Promise.all([...live].map((cluster) => cluster.destroy())).finally(() => process.exit(130));
    });
  }
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
