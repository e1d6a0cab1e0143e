import { type MemberId, memberId, type Random, seededRandom } from "../../core/base/index.ts";
import type { CibState, Command, Proposal } from "../../core/cib/index.ts";
import type { Schedule } from "../../core/controller/index.ts";
import { bootstrap, type Entry, type Message, type ReadOutcome } from "../../core/raft/index.ts";
import { beginFencing, type FenceWeather } from "./fence-devices.ts";
import { type CoreSetup, type HostEvents, VirtualHost } from "./host.ts";
import { type AppliedCommand, type Invariant, Violation } from "./invariant.ts";
import { type Listeners, listenersOf } from "./listeners.ts";
import { VirtualNetwork } from "./network.ts";
import type { MemberPlan, RunPlan } from "./plan.ts";
import { Replica } from "./replica.ts";
import { coreFaults, type SeededFault } from "./seeded-faults.ts";
import { VirtualTime } from "./time.ts";
import type { Trace } from "./trace.ts";

export type WorldOptions = {
  readonly plan: RunPlan;
  readonly watchdogMs: number | null;
  readonly seededFault: SeededFault | null;
  readonly schedule: Schedule;
  readonly invariants: readonly Invariant[];
  readonly trace: Trace;
};

export type Answer = { readonly result: unknown } | { readonly error: { readonly code: string } };

/** A request that nobody answers within this virtual time is given up, milliseconds. */
const ANSWER_MS = 30_000;
/** A joining that nobody answers within this time begins anew, milliseconds. */
const JOIN_AGAIN_MS = 20_000;

/** The virtual machines, what connects them, and everything the invariants look at. */
export class World {
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: VirtualHost[] = [];
  readonly network: VirtualNetwork;
  readonly plan: RunPlan;
  fenceWeather: FenceWeather = { fails: 0, hangs: 0, silent: 0, takesMs: 100 };
  /** The policy engine throws while this is set. */
  policyBroken = false;
  /** How long writes stopped when the leader crashed at the end (L5), milliseconds; null: it was not tried. */
  outageMs: number | null = null;
  /** The one member whose disk has lied or was lost, until it is whole again: more at once are outside of the model. */
  damaged: VirtualHost | null = null;
  /** When an operator last asked for other votes or members. */
  changeAskedMs = Number.NEGATIVE_INFINITY;
  readonly #options: WorldOptions;
  readonly #listeners: Listeners;
  readonly #byMember = new Map<number, VirtualHost>();
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #reads = new Map<number, (outcome: ReadOutcome) => void>();
  readonly #log = new Replica((applied) => this.#applied(applied));
  #nextRequest = 1;
  #violation: Violation | null = null;
  /** Hosts that are about to be joined anew. */
  readonly #replaced = new Set<VirtualHost>();
  /** Hosts whose core was fed since the invariants last looked. */
  readonly #touched = new Set<VirtualHost>();
  #unsettled = false;
  #crash: { readonly host: string; readonly error: unknown } | null = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#listeners = listenersOf(options.invariants);
    this.plan = options.plan;
    this.trace = options.trace;
    this.random = seededRandom(options.plan.seed);
    const arrive = (from: MemberId, to: MemberId, message: Message<Proposal>): void => this.#arrive(from, to, message);
    this.network = new VirtualNetwork(this.time, seededRandom(this.random.nextUint32()), arrive, options.plan.rings);
    options.plan.members.forEach((_, at) => void this.#addHost(`n${at + 1}`));
  }

  /** The committed state as the log gives it. */
  get replica(): CibState {
    return this.#log.state;
  }

  /** Indexes of the commands that changed something. */
  get changed(): ReadonlySet<number> {
    return this.#log.changed;
  }

  nameOf(member: MemberId): string {
    return this.#byMember.get(member)?.name ?? `member ${member}`;
  }

  violated(id: string, text: string): never {
    this.#violation ??= new Violation(id, `${text} (at ${this.time.nowMs.toFixed(3)} ms)`);
    throw this.#violation;
  }

  planOf(host: VirtualHost): MemberPlan {
    return this.plan.members[this.hosts.indexOf(host)] ?? { votes: 1, witness: false };
  }

  isWitness(host: VirtualHost): boolean {
    return this.planOf(host).witness;
  }

  /** The committed state at an index, while it is kept; undefined: not there yet, or long ago. */
  stateAt(index: number): CibState | undefined {
    return this.#log.stateAt(index);
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
    await this.until("all members are online", 30_000, () => this.#allOnline());
    for (const host of this.hosts) {
      const { votes } = this.planOf(host);
      if (votes !== 1) await this.insist("cluster.votes", { node: host.name, votes });
    }
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

  /** The same as often as it takes, within reason, at whoever leads. */
  async insist(method: string, params: unknown): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const host = this.leader() ?? this.hosts[0];
      if (host === undefined) return;
      try {
        await this.ask(host, method, params);
        return;
      } catch (error) {
        if (error instanceof Violation) throw error;
        if (attempt >= 10) throw new Violation("LIVENESS", `${describe(error)} (at ${this.time.nowMs.toFixed(0)} ms); ${this.summary()}`);
        await this.advance(this.time.nowMs + 1_000);
      }
    }
  }

  request(host: VirtualHost, method: string, params: unknown, then: (answer: Answer) => void): void {
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    this.#answers.set(id, then);
    host.deliver({ kind: "request", id, method, params });
  }

  /** A read of the core beside those of the API; `lease`: the host's clock may answer it (RAFT.md §2 feature 17). */
  read(host: VirtualHost, lease: boolean, then: (outcome: ReadOutcome) => void): void {
    const context = -this.#nextRequest;
    this.#nextRequest += 1;
    this.#reads.set(context, then);
    host.inject((core) => {
      const nowMs = Math.floor(host.clock.nowMs());
      core.raft.step(lease ? { kind: "readIndex", context, nowMs } : { kind: "readIndex", context });
    });
  }

  /** A client's command under a session, handed to the core of a host; what became of it the log says. */
  proposeAs(host: VirtualHost, origin: Proposal["origin"], command: Command): void {
    const context = -this.#nextRequest;
    this.#nextRequest += 1;
    host.inject((core) => {
      const atMs = Math.floor(host.clock.wallMs());
      core.raft.step({ kind: "propose", context, commands: [{ atMs, origin, command }] });
    });
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
      for (const look of this.#listeners.afterAll) look(this);
      // A set that is cleared gets a new table each time, and most events touch no core.
      if (this.#touched.size === 0) continue;
      for (const look of this.#listeners.after) look(this, this.#touched);
      this.#touched.clear();
    }
  }

  async until(what: string, limitMs: number, holds: () => boolean, id = "LIVENESS"): Promise<void> {
    const endMs = this.time.nowMs + limitMs;
    await this.advance(endMs, holds);
    if (!holds())
      throw new Violation(id, `${what} did not come within ${limitMs} ms (at ${this.time.nowMs.toFixed(0)} ms); ${this.summary()}`);
  }

  /** Where everybody stands, for a report. */
  summary(): string {
    const { settled: done, changedAt, intents, fencing } = this.replica;
    const rows = this.hosts.map(({ name, shell, services }) => {
      const raft = shell?.core.raftStatus;
      const membership = this.replica.nodes.get(name)?.membership;
      const doubts = [raft?.recovering === true ? " recovering" : "", raft?.removed === true ? " removed" : ""].join("");
      const place = `${raft?.role ?? "down"}${doubts} term ${raft?.term} log to ${raft?.last.index} applied ${shell?.core.state.index}`;
      return `${name}: ${place} ${membership} runs ${[...services.active].join("+")}`;
    });
    const pending = [...intents.values()].map(({ key, task, resource, node }) => `${task} ${resource} ${node} (${key})`);
    return `${rows.join("; ")}; settled ${JSON.stringify(done)} changed ${changedAt} intents [${pending.join(", ")}] fencing ${fencing.size}`;
  }

  #addHost(name: string): void {
    const { watchdogMs, seededFault, plan } = this.#options;
    const host = new VirtualHost({
      name,
      member: memberId(1),
      time: this.time,
      random: seededRandom(this.random.nextUint32()),
      setup: this.#setup(),
      selfFence: plan.selfFence,
      watchdogMs,
      seededFault,
      events: this.#events(),
    });
    this.hosts.push(host);
    host.member = this.#newMember(host);
  }

  #newMember(host: VirtualHost): MemberId {
    const member = memberId(1_000_000 + this.random.below(1_000_000) * 10 + this.hosts.indexOf(host));
    this.#byMember.set(member, host);
    return member;
  }

  #setup(): CoreSetup {
    const { plan, seededFault } = this.#options;
    return {
      core: { leaseReads: plan.leaseReads, limits: { keepEntries: plan.keepEntries }, seededFaults: coreFaults(seededFault) },
      raftTiming: { electionMs: plan.electionMs, heartbeatMs: Math.floor(plan.electionMs / 6) },
      nodeLossMs: plan.nodeLossMs,
      snapshotLogBytes: plan.snapshotLogBytes,
    };
  }

  #events(): HostEvents {
    const listeners = this.#listeners;
    return {
      onTouched: (host) => this.#touched.add(host),
      onPromise: () => {
        this.#unsettled = true;
      },
      send: (from, to, message) => {
        for (const hear of listeners.onSend) hear(this, from, to, message);
        this.network.send(from.member, to, message);
      },
      onEntries: (host, entries) => this.#observe(host, entries),
      onSave: (host, write) => {
        for (const hear of listeners.onSave) hear(this, host, write);
      },
      onRestored: (host, facts) => {
        this.trace.add(this.time.nowMs, host.name, `daemon up: ${facts.finding}, term ${facts.term}, log to ${facts.last}`);
        for (const hear of listeners.onRestored) hear(this, host, facts);
        this.#tellLinks(host, "up");
      },
      onDeliver: (host, from, message) => {
        for (const hear of listeners.onDeliver) hear(this, host, from, message);
      },
      onStored: (host, write) => {
        for (const hear of listeners.onStored) hear(this, host, write);
      },
      onSnapshot: (host, meta, bytes) => {
        this.trace.add(this.time.nowMs, host.name, `snapshot at ${meta.last.index}, ${bytes.length} bytes`);
        for (const hear of listeners.onSnapshot) hear(this, host, meta, bytes);
      },
      onReadAsked: (host, context) => {
        for (const hear of listeners.onReadAsked) hear(this, host, context);
      },
      onReads: (host, reads) => {
        for (const read of reads) {
          for (const hear of listeners.onRead) hear(this, host, read);
          const then = this.#reads.get(read.context);
          this.#reads.delete(read.context);
          then?.(read);
        }
      },
      onEnd: (host, key, action, outcome) => {
        for (const hear of listeners.onEnd) hear(this, host, key, action, outcome);
      },
      onPromoted: (host, resource, promoted) => {
        this.trace.add(this.time.nowMs, host.name, `${resource} ${promoted ? "promoted" : "demoted"}`);
        for (const hear of listeners.onPromoted) hear(this, host, resource, promoted);
      },
      onAmnesia: (host, reasons) => {
        this.trace.add(this.time.nowMs, host.name, `memory lost: ${reasons.join("; ")}`);
        this.replace(host, 1_000 + this.random.below(4_000));
      },
      onDiskFailed: (host, error) => {
        this.trace.add(this.time.nowMs, host.name, `daemon ended: ${error.message}`);
        this.#tellLinks(host, "gone");
        this.time.after(1_000, "daemon start", () => host.startDaemon());
      },
      onService: (host, resource, active) => {
        this.trace.add(this.time.nowMs, host.name, `${resource} ${active ? "active" : "stopped"}`);
        for (const hear of listeners.onService) hear(this, host, resource, active);
      },
      onSpawn: (host, key, action, origin) => {
        const { resource, operation, agentClass, target } = action;
        if (operation !== "monitor") this.trace.add(this.time.nowMs, host.name, `${operation} ${resource} (${key})`);
        for (const hear of listeners.onSpawn) hear(this, host, { key, resource, operation, agentClass, target, origin });
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
      fence: (by, action) => beginFencing(this, by, action),
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

  /** The policy worker dies and a new one is started; it knows nothing. */
  restartPlanner(host: VirtualHost, afterMs: number): void {
    host.losePlanner("killed by the simulator");
    this.time.after(afterMs, "planner up", () => host.startPlanner());
  }

  crashDaemon(host: VirtualHost, downMs: number): void {
    if (host.daemon === null) return;
    host.killDaemon();
    this.#tellLinks(host, "gone");
    this.time.after(downMs, "daemon start", () => host.startDaemon());
  }

  /** The member comes back with an empty store under a new id, as soon as a leader lets it in. */
  replace(host: VirtualHost, afterMs: number): void {
    if (this.#replaced.has(host)) return;
    this.#replaced.add(host);
    this.time.after(afterMs, "replace", () => {
      this.#replaced.delete(host);
      host.killDaemon();
      const member = this.#newMember(host);
      this.trace.add(this.time.nowMs, host.name, `an empty store, to join as member ${member}`);
      this.#unsettled = true;
      host.reborn(member).then(
        () => this.#rejoin(host, member),
        // The new disk may fail as any other does.
        () => this.replace(host, 1_000),
      );
    });
  }

  #rejoin(host: VirtualHost, member: MemberId): void {
    let over = false;
    const again = (): void => {
      if (over || host.member !== member) return;
      over = true;
      this.time.after(1_000 + this.random.below(1_000), "rejoin", () => this.#rejoin(host, member));
    };
    this.time.after(JOIN_AGAIN_MS, "rejoin", again);
    const leader = this.leader();
    if (leader === null || leader === host) {
      again();
      return;
    }
    const hash = (member * 7 + this.random.below(1_000_000)).toString(16).padStart(64, "0");
    this.request(leader, "internal.token", { hash, lifeMs: 600_000 }, (given) => {
      if ("error" in given || over) {
        again();
        return;
      }
      this.#admit(leader, host, hash, (admitted) => {
        if ("error" in admitted || over) {
          again();
          return;
        }
        over = true;
        host.powerOn();
        host.startDaemon();
      });
    });
  }

  #admit(leader: VirtualHost, host: VirtualHost, tokenHash: string, then: (answer: Answer) => void): void {
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    this.#answers.set(id, then);
    const addresses = [`${host.name}:1`];
    leader.deliver({
      kind: "admit",
      id,
      admission: { tokenHash, node: host.name, memberId: host.member, addresses, witness: this.isWitness(host) },
    });
  }

  /** The host's kernel answers for its dead daemon, or the daemon is back: those who can reach it notice. */
  #tellLinks(host: VirtualHost, change: "up" | "gone"): void {
    for (const other of this.hosts) {
      if (other === host || this.network.isCut(other.member, host.member) || this.network.isCut(host.member, other.member)) continue;
      this.time.after(1, "link", () => other.deliver({ kind: "link", peer: host.member, change }));
    }
  }

  #arrive(from: MemberId, to: MemberId, message: Message<Proposal>): void {
    const host = this.#byMember.get(to);
    // A frame for the member that lived here before is refused by its successor (RAFT.md §9).
    if (host?.member === to) host.deliver({ kind: "message", from, message });
  }

  /** Holds everybody's entries against the first one seen. */
  #observe(host: VirtualHost, entries: readonly Entry<Proposal>[]): void {
    const other = this.#log.observe(entries);
    if (other !== null) this.violated("S5", `${host.name} applies another entry ${other} than the first that did`);
  }

  #applied(applied: AppliedCommand): void {
    for (const hear of this.#listeners.onApplied) hear(this, applied);
    const { ok, command } = applied;
    if (this.#options.seededFault === "fence-wait-skipped" && ok && command.kind === "node.lost") this.#skipWait(command);
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
    this.#admit(first, host, hash, (answer) => {
      admitted = answer;
    });
    await this.until(`${host.name} let in`, 30_000, () => admitted !== null);
    host.powerOn();
    await this.until(`${host.name} votes`, 30_000, () => (first.shell?.core.raftStatus.configuration.voters.get(host.member) ?? 0) > 0);
  }

  #allOnline(): boolean {
    return this.hosts.every((host) => this.replica.nodes.get(host.name)?.membership === "online");
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

/** Everything that follows from an event without time passing: ticks come when no promise is left that could settle. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
