import { existsSync } from "node:fs";
import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";
import type { CgroupTree } from "./cgroup.ts";
import { exitedOutcome, type Mapped, mapUnitState, OCF, type ProcessEnd, readProperties } from "./codes.ts";
import { baseEnvironment, type EnvironmentSettings, ocfEnvironment, unfitVariable } from "./environment.ts";
import { fenceInput, hostArgument } from "./fence.ts";
import { type Command, type ProcessGroup, spawnGroup } from "./group.ts";
import { type AgentPlaces, findAgent, type Refusal, refusal } from "./locate.ts";
import { RepeatShells } from "./repeat.ts";

export type RunnerSettings = EnvironmentSettings &
  AgentPlaces & {
    readonly cgroups: CgroupTree | null;
    /** Present while a systemd manages this host (sd_booted(3)). */
    readonly systemdDirectory: string;
  };

/** An action under way. */
export type AgentRun = {
  readonly outcome: Promise<AgentOutcome>;
  /** Ends it early; the outcome is then `cancelled`. Its whole process group is gone before the outcome is known. */
  readonly kill: (how: "term" | "kill") => void;
};

export type RunHooks = {
  /** The agent's process exists: to be written down before anything else happens, so that a later guardian finds it. */
  readonly spawned: (process: { readonly pid: number; readonly startTicks: number }) => void;
};

/** Longest delay that a timer takes; 24 days, beyond any action. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const UNIT_POLL_MS = 200;
const METADATA_TIMEOUT_MS = 10_000;
/** Operations that may leave processes behind; only these pay for entering a control group. */
const LASTING = new Set(["start", "promote", "demote", "migrate_from", "migrate_to", "reload-agent", "reload", "notify", "stop"]);

/** Spawns agents of every class and says what became of them, in OCF's words. */
export class AgentRunner {
  readonly #settings: RunnerSettings;
  readonly #metadata = new Map<string, Promise<string | null>>();
  readonly #shells = new RepeatShells();

  constructor(settings: RunnerSettings) {
    this.#settings = settings;
  }

  start(action: AgentAction, hooks: RunHooks): AgentRun {
    const task = new Task(hooks);
    return { outcome: this.#outcome(action, task), kill: (how) => task.kill(how) };
  }

  async #outcome(action: AgentAction, task: Task): Promise<AgentOutcome> {
    const startedMs = performance.now();
    const timer = setTimeout(() => task.timeOut(), Math.min(action.timeoutMs, TIMER_MAX_MS));
    try {
      const end = await this.#perform(action, task).catch(systemRefusal);
      const elapsedMs = Math.round(performance.now() - startedMs);
      if (task.stopped === "cancelled") return { kind: "cancelled" };
      if (task.stopped === "timed-out") {
        return { kind: "timed-out", reason: `no answer within ${action.timeoutMs} ms`, elapsedMs };
      }
      if ("kind" in end) return end;
      return "note" in end
        ? { kind: "exited", code: end.code, reason: end.note, output: "", elapsedMs }
        : exitedOutcome(action, end, elapsedMs);
    } finally {
      clearTimeout(timer);
    }
  }

  #perform(action: AgentAction, task: Task): Promise<ProcessEnd | Mapped | Refusal> {
    switch (action.agentClass) {
      case "ocf":
        return this.#ocf(action, task);
      case "stonith":
        return this.#stonith(action, task);
      case "systemd":
        return this.#systemd(action, task);
      case "lsb":
        return this.#lsb(action, task);
      case "service":
        return this.#service(action, task);
    }
  }

  async #ocf(action: AgentAction, task: Task): Promise<ProcessEnd | Refusal> {
    const file = findAgent(action, this.#settings);
    if (typeof file !== "string") return file;
    const cgroups = LASTING.has(action.operation) ? this.#settings.cgroups : null;
    const repeated = this.#shells.fits(action);
    if (!repeated) this.#shells.forget(action.resource);
    const command: Command = {
      file,
      args: [action.operation],
      env: ocfEnvironment(action, this.#settings),
      stdin: null,
      cgroupFile: cgroups?.enter(action.resource) ?? null,
    };
    return task.run(command, repeated ? (ready) => this.#shells.run(action, ready) : spawnGroup);
  }

  async #lsb(action: AgentAction, task: Task): Promise<ProcessEnd | Refusal> {
    const file = findAgent(action, this.#settings);
    if (typeof file !== "string") return file;
    const operation = action.operation === "monitor" ? "status" : action.operation;
    if (!/^[a-z-]+$/.test(operation)) return refusal("AGENT_BAD_REQUEST", `init scripts have no operation ${operation}`);
    const cgroups = LASTING.has(action.operation) ? this.#settings.cgroups : null;
    const env = baseEnvironment(action, this.#settings);
    return task.run({ file, args: [operation], env, stdin: null, cgroupFile: cgroups?.enter(action.resource) ?? null });
  }

  async #service(action: AgentAction, task: Task): Promise<ProcessEnd | Mapped | Refusal> {
    if (!this.#systemdRuns()) return this.#lsb(action, task);
    const state = await this.#unitState(action, task);
    if ("kind" in state) return state;
    return state.properties["LoadState"] === "not-found" ? this.#lsb(action, task) : this.#systemd(action, task);
  }

  async #stonith(action: AgentAction, task: Task): Promise<ProcessEnd | Refusal> {
    const file = findAgent(action, this.#settings);
    if (typeof file !== "string") return file;
    const needsArgument = action.target !== null && action.params["pcmk_host_argument"] === undefined;
    const metadata = needsArgument ? await this.#fenceMetadata(file, action) : null;
    const stdin = fenceInput(action, hostArgument(action.params, metadata));
    if (stdin === null) return refusal("AGENT_BAD_REQUEST", "a parameter holds a line break");
    return task.run({ file, args: [], env: baseEnvironment(action, this.#settings), stdin, cgroupFile: null });
  }

  /** Meta-data of a fence agent, asked once: a python start costs 0.2 s, which no failover should pay twice. */
  #fenceMetadata(file: string, action: AgentAction): Promise<string | null> {
    const known = this.#metadata.get(file);
    if (known !== undefined) return known;
    const asked = this.#askMetadata(file, action);
    this.#metadata.set(file, asked);
    return asked;
  }

  async #askMetadata(file: string, action: AgentAction): Promise<string | null> {
    const env = baseEnvironment(action, this.#settings);
    const group = spawnGroup({ file, args: ["-o", "metadata"], env, stdin: null, cgroupFile: null });
    if ("error" in group) return null;
    const timer = setTimeout(() => group.kill("kill"), METADATA_TIMEOUT_MS);
    const end = await group.end;
    clearTimeout(timer);
    if (end.code === 0) return end.stdout;
    this.#metadata.delete(file);
    return null;
  }

  #systemdRuns(): boolean {
    return existsSync(this.#settings.systemdDirectory);
  }

  async #systemd(action: AgentAction, task: Task): Promise<ProcessEnd | Mapped | Refusal> {
    if (!this.#systemdRuns()) return refusal("AGENT_NOT_INSTALLED", "no systemd manages this host");
    switch (action.operation) {
      case "monitor":
        return this.#unitMonitor(action, task);
      case "start":
      case "stop": {
        const end = await this.#systemctl(action, task, [action.operation, unitName(action.type)]);
        if ("kind" in end || end.code !== 0 || action.operation === "stop") return end;
        return this.#unitMonitor(action, task);
      }
      case "reload":
      case "reload-agent":
        return this.#systemctl(action, task, ["reload-or-restart", unitName(action.type)]);
      default:
        return { code: OCF.unimplemented, note: `systemd units have no operation ${action.operation}` };
    }
  }

  /** Asks until the unit has settled; the action's timeout ends an endless "activating". */
  async #unitMonitor(action: AgentAction, task: Task): Promise<Mapped | Refusal> {
    for (;;) {
      const state = await this.#unitState(action, task);
      if ("kind" in state) return state;
      const mapped = mapUnitState(state.properties);
      if (mapped !== "wait") return mapped;
      await new Promise((resolve) => setTimeout(resolve, UNIT_POLL_MS));
      if (task.stopped !== null) return { code: OCF.generic, note: "the unit did not settle" };
    }
  }

  async #unitState(action: AgentAction, task: Task): Promise<{ readonly properties: Record<string, string> } | Refusal> {
    const end = await this.#systemctl(action, task, ["show", "-p", "LoadState,ActiveState,SubState,Result", unitName(action.type)]);
    return "kind" in end ? end : { properties: readProperties(end.stdout) };
  }

  #systemctl(action: AgentAction, task: Task, args: readonly string[]): Promise<ProcessEnd | Refusal> {
    const env = { ...baseEnvironment(action, this.#settings), SYSTEMD_PAGER: "", SYSTEMD_COLORS: "0" };
    return task.run({ file: "systemctl", args: ["--no-ask-password", ...args], env, stdin: null, cgroupFile: null });
  }
}

/**
 * The host refused something on the way (a directory that cannot be read, a full disk): an outcome, since a guardian that
 * crashed over it would only meet it again. Defects pass on.
 */
function systemRefusal(error: unknown): Refusal {
  if (error instanceof Error && "syscall" in error) return refusal("AGENT_NOT_PERMITTED", error.message);
  throw error;
}

/** `nginx` is `nginx.service`; other unit types are named in full. */
export function unitName(type: string): string {
  return /\.(service|socket|mount|timer|path|target|slice|scope|swap|automount|device)$/.test(type) ? type : `${type}.service`;
}

/** The processes of one action, one after the other, with one timeout and one way to end them. */
class Task {
  readonly #hooks: RunHooks;
  #group: ProcessGroup | null = null;
  stopped: "cancelled" | "timed-out" | null = null;

  constructor(hooks: RunHooks) {
    this.#hooks = hooks;
  }

  async run(command: Command, start: (command: Command) => ReturnType<typeof spawnGroup> = spawnGroup): Promise<ProcessEnd | Refusal> {
    if (this.stopped !== null) return { code: null, signal: "SIGTERM", stdout: "", stderr: "" };
    const unfit = unfitVariable(command.env);
    if (unfit !== null) return refusal("AGENT_BAD_REQUEST", `${unfit} cannot be an environment variable`);
    const group = start(command);
    if ("error" in group) return refusal("AGENT_NOT_PERMITTED", group.error);
    this.#group = group;
    this.#hooks.spawned({ pid: group.pid, startTicks: group.startTicks });
    const end = await group.end;
    this.#group = null;
    return end;
  }

  kill(how: "term" | "kill"): void {
    this.stopped ??= "cancelled";
    this.#group?.kill(how);
  }

  timeOut(): void {
    if (this.stopped !== null) return;
    this.stopped = "timed-out";
    this.#group?.kill("term");
  }
}
