import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { term, unreachable } from "../../core/base/index.ts";
import type { AgentAction, ToGuardian } from "../../core/ports/index.ts";
import {
  type AgentRun,
  AgentRunner,
  CgroupTree,
  groupMembers,
  isAlive,
  type PurgeSettings,
  purgeResource,
  readProcess,
  signal,
} from "../../io/agents/index.ts";
import { monotonicMs } from "../../io/executor/index.ts";
import { GuardianCore } from "./core.ts";
import { Resetter, Watchdog } from "./host.ts";
import { DeadlineFile, Journal, type Line } from "./journal.ts";
import type { Log } from "./log.ts";
import { GuardianServer } from "./server.ts";
import { type GuardianSettings, readIncarnation } from "./settings.ts";
import type { GuardianEffect, GuardianInput, Remembered } from "./types.ts";

const TIMER_MAX_MS = 2 ** 31 - 1;
const REAP_MAX_MS = 2_000;
const REAP_POLL_MS = 5;

/** The process around the core: carries out effects in order and feeds back what became of them. */
export class Keeper {
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #deadlineFile: DeadlineFile;
  readonly #runner: AgentRunner;
  readonly #purge: PurgeSettings;
  readonly #server: GuardianServer;
  readonly #core: GuardianCore;
  readonly #runs = new Map<string, AgentRun>();
  readonly #resetter: Resetter | null;
  #watchdog: Watchdog | null;
  #timer: NodeJS.Timeout | null = null;
  #journalBroken = false;
  readonly #started: Readonly<Record<string, unknown>>;
  /** What came over the socket before the past was taken up; null afterwards. */
  #early: GuardianInput[] | null = [];

  private constructor(settings: GuardianSettings, log: Log) {
    this.#log = log;
    const runDirectory = settings.runDirectory;
    const boot = readIncarnation(runDirectory);
    if (boot.fresh) Journal.clear(runDirectory);
    const cgroups = settings.cgroup === "off" ? null : CgroupTree.open(boot.value, settings.cgroup === "auto" ? null : settings.cgroup);
    const temporaryDirectory = join(runDirectory, "agents");
    mkdirSync(temporaryDirectory, { recursive: true, mode: 0o755 });
    if (cgroups !== null) {
      cgroups.tidy();
      // Whoever has to kill this node from outside finds its processes by this path.
      writeFileSync(join(runDirectory, "cgroup"), `${cgroups.root}\n`, { mode: 0o600 });
    } else {
      rmSync(join(runDirectory, "cgroup"), { force: true });
      log("warn", "no control groups: daemons that leave their session and overwrite their environment cannot be found");
    }
    this.#runner = new AgentRunner({
      ...settings,
      temporaryDirectory,
      inherited: process.env,
      extra: settings.environment,
      markers: { QUORATE_GUARDIAN: boot.value, QUORATE_NODE_DIR: settings.directory },
      cgroups,
    });
    this.#purge = { guardianId: boot.value, cgroups, systemdDirectory: settings.systemdDirectory };
    this.#watchdog = settings.watchdog === null ? null : Watchdog.open(settings.watchdog, settings.watchdogMs, log);
    this.#resetter = settings.selfFence === "reset" ? new Resetter(log) : null;
    this.#journal = Journal.open(runDirectory);
    this.#deadlineFile = new DeadlineFile(runDirectory);
    this.#core = new GuardianCore(
      {
        ...settings,
        incarnation: boot.value,
        watchdogMs: this.#watchdog?.timeoutMs ?? null,
        servedBy: { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? 0 },
      },
      this.#journal.remembered(this.#mark()),
    );
    const events = {
      message: (link: number, message: ToGuardian) => this.#hear({ kind: "message", link, message }),
      closed: (link: number) => this.#hear({ kind: "closed", link }),
    };
    this.#server = new GuardianServer({ path: settings.socketPath, events, log });
    this.#started = {
      incarnation: boot.value,
      fresh: boot.fresh,
      selfFence: settings.selfFence,
      watchdogMs: this.#watchdog?.timeoutMs ?? null,
      cgroup: cgroups?.root ?? null,
      unfinished: this.#journal.unfinished.length,
    };
  }

  /** Takes up what an earlier guardian left, then opens the socket. Errors: those of the settings and of the host. */
  static async start(settings: GuardianSettings, log: Log): Promise<Keeper> {
    mkdirSync(settings.runDirectory, { recursive: true, mode: 0o755 });
    const keeper = new Keeper(settings, log);
    // The old guardian must be gone before its actions are touched, and the socket tells.
    await keeper.#server.listen();
    writeFileSync(join(settings.runDirectory, "guardian.pid"), `${process.pid}\n`);
    await keeper.#killOrphans();
    keeper.#perform(keeper.#core.begin(keeper.#journal.remembered(keeper.#mark()), monotonicMs(), Date.now()));
    const early = keeper.#early ?? [];
    keeper.#early = null;
    for (const input of early) keeper.#step(input);
    keeper.#log("info", "guardian started", keeper.#started);
    return keeper;
  }

  /**
   * The guardian leaves, resources and running actions stay; the next one takes them up. A watchdog is let go only when nothing
   * exclusive is here, else it waits for the successor for its timeout.
   */
  stop(): void {
    if (this.#core.guardsNothing) this.#watchdog?.release();
    this.#purge.cgroups?.remove();
    this.#log("info", "guardian leaves, resources stay");
  }

  #mark(): Pick<Remembered, "cluster" | "term" | "deadlineMs"> {
    return this.#deadlineFile.held ?? { term: term(0), deadlineMs: Number.POSITIVE_INFINITY };
  }

  /** Agents of the last guardian that still run cannot report to us any more. What they had started stays. */
  async #killOrphans(): Promise<void> {
    for (const [key, { pid, startTicks }] of this.#journal.spawned) {
      if (!isAlive(pid, startTicks)) continue;
      this.#log("warn", "killing an action that lost its guardian", { key, pid });
      signal(-pid, "SIGKILL");
      const untilMs = monotonicMs() + REAP_MAX_MS;
      while (groupMembers(pid).length > 0 && monotonicMs() < untilMs) await new Promise((resolve) => setTimeout(resolve, REAP_POLL_MS));
    }
    const known = new Set(this.#journal.unfinished.map((order) => order.key));
    for (const key of this.#journal.spawned.keys()) if (!known.has(key)) this.#append({ kind: "forget", key });
  }

  #hear(input: GuardianInput): void {
    if (this.#early === null) this.#step(input);
    else this.#early.push(input);
  }

  #step(input: GuardianInput): void {
    this.#perform(this.#core.step(input, monotonicMs()));
  }

  #perform(effects: readonly GuardianEffect[]): void {
    for (const effect of effects) this.#carryOut(effect);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const wakeMs = this.#core.nextWakeMs();
    if (wakeMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, Math.ceil(wakeMs - monotonicMs())), TIMER_MAX_MS);
    this.#timer = setTimeout(() => this.#step({ kind: "tick" }), delayMs);
  }

  #carryOut(effect: GuardianEffect): void {
    switch (effect.kind) {
      case "send":
        this.#server.send(effect.link, effect.message);
        break;
      case "close":
        this.#server.close(effect.link);
        break;
      case "spawn":
        this.#spawn(effect.key, effect.action);
        break;
      case "kill":
        this.#runs.get(effect.key)?.kill(effect.how);
        break;
      case "purge":
        void purgeResource(effect.action, this.#purge, effect.timeoutMs).then((left) =>
          this.#step({ kind: "purged", key: effect.key, left }),
        );
        break;
      case "journal":
        this.#append(effect.record);
        break;
      case "mark":
        this.#guarded(() => this.#deadlineFile.write(effect));
        break;
      case "reset":
        this.#resetter?.reset();
        break;
      case "feed":
        this.#watchdog?.feed();
        break;
      case "watchdog.release":
        this.#watchdog?.release();
        this.#watchdog = null;
        break;
      case "log":
        this.#log(effect.level, effect.message, effect.facts);
        break;
      default:
        unreachable(effect);
    }
  }

  #spawn(key: string, action: AgentAction): void {
    const startedAtMs = Date.now();
    const { resource, operation } = action;
    this.#log("debug", "action begins", { key, resource, operation });
    const run = this.#runner.start(action, { spawned: (process) => this.#append({ kind: "spawn", key, ...process }) });
    this.#runs.set(key, run);
    void run.outcome.then((outcome) => {
      this.#runs.delete(key);
      const code = outcome.kind === "exited" ? outcome.code : null;
      const reason = outcome.kind === "cancelled" ? null : outcome.reason;
      // Monitors are the heartbeat of a healthy node: they go to the story only when they find something.
      const routine = operation === "monitor" && outcome.kind === "exited" && (code === 0 || code === 7 || code === 8);
      this.#log(routine ? "debug" : "info", "action ended", { key, resource, operation, outcome: outcome.kind, code, reason });
      this.#step({ kind: "finished", key, outcome, startedAtMs, finishedAtMs: Date.now() });
    });
  }

  #append(line: Line): void {
    this.#guarded(() => this.#journal.append(line));
  }

  /** A full run directory must not end the guardian: it goes on from memory, and says what a restart would cost. */
  #guarded(write: () => void): void {
    try {
      write();
      this.#journalBroken = false;
    } catch (error) {
      if (!(error instanceof Error) || !("syscall" in error)) throw error;
      if (!this.#journalBroken)
        this.#log("error", "the run directory cannot be written: a restarted guardian would know less", { error: error.message });
      this.#journalBroken = true;
    }
  }
}
