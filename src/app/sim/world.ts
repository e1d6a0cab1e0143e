import { type MemberId, memberId, type Random, seededRandom } from "../../core/base/index.ts";
import { apply, applyEmpty, type CibState, emptyState, type Proposal } from "../../core/cib/index.ts";
import type { PlannerEntry, Schedule } from "../../core/controller/index.ts";
import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";
import { bootstrap, type Message } from "../../core/raft/index.ts";
import { exited } from "./agents.ts";
import { type HostEvents, type SeededFault, VirtualHost } from "./host.ts";
import { type AppliedCommand, type Invariant, Violation } from "./invariant.ts";
import { VirtualNetwork } from "./network.ts";
import { textOf } from "./text-of.ts";
import { VirtualTime } from "./time.ts";
import type { Trace } from "./trace.ts";

export type WorldOptions = {
  readonly seed: number;
  readonly size: number;
  /** The last host is a witness. */
  readonly witness: boolean;
  readonly selfFence: "reset" | "kill";
  readonly watchdogMs: number | null;
  readonly seededFault: SeededFault | null;
  readonly schedule: Schedule;
  readonly invariants: readonly Invariant[];
  readonly trace: Trace;
};

export type Answer = { readonly result: unknown } | { readonly error: { readonly code: string } };

/** How fence devices behave, for one action. */
export type FenceWeather = { readonly fails: number; readonly hangs: number; readonly silent: number; readonly takesMs: number };

/** A request that nobody answers within this virtual time is given up, milliseconds. */
const ANSWER_MS = 30_000;

/** The virtual machines, what connects them, and everything the invariants look at. */
export class World {
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: VirtualHost[] = [];
  readonly network: VirtualNetwork;
  fenceWeather: FenceWeather = { fails: 0, hangs: 0, silent: 0, takesMs: 100 };
  /** The policy engine throws while this is set. */
  policyBroken = false;
  readonly #options: WorldOptions;
  readonly #byMember = new Map<number, VirtualHost>();
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #proposals = new Map<number, string>();
  readonly #waiting = new Map<number, Proposal | null>();
  #replica: CibState = emptyState();
  #nextRequest = 1;
  #violation: Violation | null = null;
  /** Hosts whose core was fed since the invariants last looked. */
  readonly #touched = new Set<VirtualHost>();
  #unsettled = false;
  #crash: { readonly host: string; readonly error: unknown } | null = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.trace = options.trace;
    this.random = seededRandom(options.seed);
    this.network = new VirtualNetwork(this.time, seededRandom(this.random.nextUint32()), (from, to, message) =>
      this.#arrive(from, to, message),
    );
    for (let at = 1; at <= options.size; at += 1) this.#addHost(`n${at}`);
  }

  /** The committed state as the log gives it. */
  get replica(): CibState {
    return this.#replica;
  }

  nameOf(member: MemberId): string {
    return this.#byMember.get(member)?.name ?? `member ${member}`;
  }

  violated(id: string, text: string): never {
    this.#violation ??= new Violation(id, `${text} (at ${this.time.nowMs.toFixed(3)} ms)`);
    throw this.#violation;
  }

  isWitness(host: VirtualHost): boolean {
    return this.#options.witness && host === this.hosts.at(-1);
  }

  leader(): VirtualHost | null {
    return this.hosts.find((host) => host.shell?.core.raftStatus.role === "leader" && host.shell.core.raftStatus.ready) ?? null;
  }

  /** Makes the cluster: the first member founds it, the others are let in one after the other. */
  async form(): Promise<void> {
    const [first, ...others] = this.hosts;
    if (first === undefined) throw new Error("a world needs a host");
    const start = bootstrap<Proposal>({
      id: first.member,
      member: { name: first.name, addresses: [`${first.name}:1`], incarnation: null },
    });
    await this.#wait(first.found({ hard: start.hard, entries: start.entries }));
    first.powerOn();
    await this.until("the first leader", 10_000, () => this.leader() === first);
    await this.ask(first, "internal.create", { clusterId: "00000000000000aa", name: "sim" });
    for (const host of others) await this.#join(host, first);
    await this.until("all members vote and are online", 30_000, () => this.#allOnline());
  }

  /** Sends a request to a host and runs the world until it is answered. */
  async ask(host: VirtualHost, method: string, params: unknown): Promise<unknown> {
    let answer: Answer | null = null;
    this.request(host, method, params, (given) => {
      answer = given;
    });
    await this.until(`an answer to ${method}`, ANSWER_MS, () => answer !== null);
    const given = answer as Answer | null;
    if (given === null || "error" in given) throw new Error(`${method}: ${JSON.stringify(given)}`);
    return given.result;
  }

  request(host: VirtualHost, method: string, params: unknown, then: (answer: Answer) => void): void {
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    this.#answers.set(id, then);
    host.deliver({ kind: "request", id, method, params });
  }

  /** Lets time pass, event by event; after each the promises of the event settle and all invariants are looked at. */
  async advance(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    // What was just begun from outside must have asked for its events before time may jump to the next one.
    await settled();
    while (!stop()) {
      const what = this.time.step(untilMs);
      // Most events are heartbeats that leave no promise behind; a turn of the event loop costs more than they do.
      if (this.#unsettled) {
        this.#unsettled = false;
        await settled();
      }
      if (this.#violation !== null) throw this.#violation;
      if (this.#crash !== null) throw new Violation("CRASH", `${this.#crash.host}: ${describe(this.#crash.error)}`);
      if (what === null) return;
      for (const invariant of this.#options.invariants) invariant.after?.(this, this.#touched);
      this.#touched.clear();
    }
  }

  async until(what: string, limitMs: number, holds: () => boolean): Promise<void> {
    const endMs = this.time.nowMs + limitMs;
    await this.advance(endMs, holds);
    if (!holds())
      throw new Violation("LIVENESS", `${what} did not come within ${limitMs} ms (at ${this.time.nowMs.toFixed(0)} ms); ${this.summary()}`);
  }

  /** Where everybody stands, for a report. */
  summary(): string {
    const { settled: done, changedAt, intents, fencing } = this.#replica;
    const rows = this.hosts.map(({ name, shell, services }) => {
      const raft = shell?.core.raftStatus;
      const membership = this.#replica.nodes.get(name)?.membership;
      return `${name}: ${raft?.role ?? "down"} term ${raft?.term} index ${shell?.core.state.index} ${membership} runs ${[...services.active].join("+")}`;
    });
    const pending = [...intents.values()].map(({ key, task, resource, node }) => `${task} ${resource} ${node} (${key})`);
    return `${rows.join("; ")}; settled ${JSON.stringify(done)} changed ${changedAt} intents [${pending.join(", ")}] fencing ${fencing.size}`;
  }

  #addHost(name: string): void {
    const { selfFence, watchdogMs, seededFault, time } = { ...this.#options, time: this.time };
    const member = memberId(1_000_000 + this.random.below(1_000_000) * 10 + this.hosts.length);
    const host = new VirtualHost({
      name,
      member,
      time,
      random: seededRandom(this.random.nextUint32()),
      selfFence,
      watchdogMs,
      seededFault,
      events: this.#events(),
    });
    this.hosts.push(host);
    this.#byMember.set(member, host);
  }

  #events(): HostEvents {
    const each = (tell: (invariant: Invariant) => void): void => {
      for (const invariant of this.#options.invariants) tell(invariant);
    };
    return {
      onTouched: (host) => this.#touched.add(host),
      onPromise: () => {
        this.#unsettled = true;
      },
      send: (from, to, message) => {
        each((invariant) => invariant.onSend?.(this, from, to, message));
        this.network.send(from.member, to, message);
      },
      onEntries: (host, entries) => this.#observe(host, entries),
      onSave: (host, write) => each((invariant) => invariant.onSave?.(this, host, write)),
      onRestored: (host, facts) => {
        this.trace.add(this.time.nowMs, host.name, `daemon up: ${facts.finding}, term ${facts.term}, log to ${facts.last}`);
        each((invariant) => invariant.onRestored?.(this, host, facts));
        this.#tellLinks(host, "up");
      },
      onService: (host, resource, active) => {
        this.trace.add(this.time.nowMs, host.name, `${resource} ${active ? "active" : "stopped"}`);
        each((invariant) => invariant.onService?.(this, host, resource, active));
      },
      onSpawn: (host, key, action, origin) => {
        const { resource, operation, agentClass } = action;
        if (operation !== "monitor") this.trace.add(this.time.nowMs, host.name, `${operation} ${resource} (${key})`);
        each((invariant) => invariant.onSpawn?.(this, host, { key, resource, operation, agentClass, origin }));
      },
      onAnswer: (_, id, answer) => {
        const then = this.#answers.get(id);
        this.#answers.delete(id);
        then?.(answer);
      },
      onFatal: (host, error) => {
        if (error instanceof Violation) this.#violation ??= error;
        else this.#crash ??= { host: host.name, error };
      },
      fence: (by, action) => this.#fence(by, action),
      onReset: (host, reason) => {
        this.trace.add(this.time.nowMs, host.name, `resets itself: ${reason}`);
        this.time.after(1, "reset", () => this.powerCycle(host, 2_000 + this.random.below(8_000)));
      },
      trace: (who, text) => this.trace.add(this.time.nowMs, who, text),
      schedule: (cib, nowMs, hash) => {
        if (this.policyBroken) throw new Error("the policy engine throws, as the simulator asked");
        return this.#options.schedule(cib, nowMs, hash);
      },
    };
  }

  powerCycle(host: VirtualHost, downMs: number): void {
    host.powerOff();
    this.time.after(downMs, "power on", () => host.powerOn());
  }

  crashDaemon(host: VirtualHost, downMs: number): void {
    if (host.daemon === null) return;
    host.killDaemon();
    this.#tellLinks(host, "gone");
    this.time.after(downMs, "daemon start", () => host.startDaemon());
  }

  /** The host's kernel answers for its dead daemon, or the daemon is back: those who can reach it notice. */
  #tellLinks(host: VirtualHost, change: "up" | "gone"): void {
    for (const other of this.hosts) {
      if (other === host || this.network.isCut(other.member, host.member) || this.network.isCut(host.member, other.member)) continue;
      this.time.after(1, "link", () => other.deliver({ kind: "link", peer: host.member, change }));
    }
  }

  #arrive(from: MemberId, to: MemberId, message: Message<Proposal>): void {
    this.#byMember.get(to)?.deliver({ kind: "message", from, message });
  }

  #fence(by: VirtualHost, action: AgentAction): { readonly takesMs: number; readonly end: () => AgentOutcome } {
    const { fails, hangs, silent, takesMs } = this.fenceWeather;
    const target = this.hosts.find(({ name }) => name === action.target);
    if (action.operation === "monitor" || target === undefined) return { takesMs: 10, end: () => exited(0) };
    const draw = this.random.fraction();
    this.trace.add(this.time.nowMs, by.name, `fences ${target.name}`);
    if (draw < hangs) return { takesMs: 600_000, end: () => exited(0) };
    if (draw < hangs + fails) return { takesMs, end: () => exited(1) };
    const act = (): void => this.powerCycle(target, 1_000 + this.random.below(4_000));
    // A device may act and then not say so.
    if (draw < hangs + fails + silent) {
      this.time.after(takesMs, "fence", act);
      return { takesMs: 600_000, end: () => exited(0) };
    }
    return {
      takesMs,
      end: () => {
        act();
        return exited(0);
      },
    };
  }

  /** Keeps the world's own replica of the log, and holds everybody's entries against the first one seen. */
  #observe(host: VirtualHost, entries: readonly PlannerEntry[]): void {
    for (const { index, proposal } of entries) {
      const text = proposal === null ? "null" : textOf(proposal);
      const known = this.#proposals.get(index);
      if (known === undefined) {
        this.#proposals.set(index, text);
        this.#waiting.set(index, proposal);
      } else if (known !== text) this.violated("S5", `${host.name} applies another entry ${index} than the first that did`);
    }
    for (;;) {
      const index = this.#replica.index + 1;
      if (!this.#waiting.has(index)) return;
      const proposal = this.#waiting.get(index) ?? null;
      this.#waiting.delete(index);
      this.#applyOne(index, proposal);
    }
  }

  #applyOne(index: number, proposal: Proposal | null): void {
    const at = index as CibState["index"];
    if (proposal === null) {
      this.#replica = applyEmpty(this.#replica, at);
      return;
    }
    const { state, result } = apply(this.#replica, at, proposal);
    this.#replica = state;
    const applied: AppliedCommand = { index, command: proposal.command, ok: result.ok };
    for (const invariant of this.#options.invariants) invariant.onApplied?.(this, applied);
    if (this.#options.seededFault === "fence-wait-skipped" && result.ok && proposal.command.kind === "node.lost")
      this.#skipWait(proposal.command);
  }

  /** Seeded fault: whoever leads calls a lost node fenced at once. */
  #skipWait(lost: { readonly memberId: MemberId; readonly incarnation: string }): void {
    this.time.after(1, "skipped wait", () => {
      const leader = this.leader();
      const incarnation = lost.incarnation as VirtualHost["incarnation"];
      leader?.shell?.core.propose(
        [{ kind: "node.fenced", target: this.nameOf(lost.memberId), incarnation, by: "tsafe", action: "off" }],
        3_000,
        () => {},
      );
      leader?.deliver({ kind: "tick" });
    });
  }

  async #join(host: VirtualHost, first: VirtualHost): Promise<void> {
    const hash = host.member.toString(16).padStart(64, "0");
    await this.#wait(host.found(null));
    await this.ask(first, "internal.token", { hash, lifeMs: 600_000 });
    let admitted: Answer | null = null;
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    this.#answers.set(id, (answer) => {
      admitted = answer;
    });
    first.deliver({
      kind: "admit",
      id,
      admission: { tokenHash: hash, node: host.name, memberId: host.member, addresses: [`${host.name}:1`], witness: this.isWitness(host) },
    });
    await this.until(`${host.name} let in`, 30_000, () => admitted !== null);
    host.powerOn();
    await this.until(`${host.name} votes`, 30_000, () => (first.shell?.core.raftStatus.configuration.voters.get(host.member) ?? 0) > 0);
  }

  #allOnline(): boolean {
    return this.hosts.every((host) => this.#replica.nodes.get(host.name)?.membership === "online");
  }

  /** Runs the world while a piece of asynchronous set-up is under way. */
  async #wait(work: Promise<void>): Promise<void> {
    let done = false;
    let failure: unknown = null;
    work.then(
      () => {
        done = true;
      },
      (error: unknown) => {
        failure = error;
        done = true;
      },
    );
    await settled();
    await this.until("set-up", 10_000, () => done);
    if (failure !== null) throw failure;
  }
}

/** Everything that follows from an event without time passing: promises that settle. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
