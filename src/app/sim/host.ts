import { type Incarnation, incarnation, type MemberId, type Random, seededRandom } from "../../core/base/index.ts";
import { emptyState, type Proposal } from "../../core/cib/index.ts";
import type { NodeEvent, Schedule, ToPlanner } from "../../core/controller/index.ts";
import type { AgentAction, AgentOutcome, FromGuardian } from "../../core/ports/index.ts";
import type { Configuration, Entry, Message, ReadOutcome, SnapshotMeta, Timing } from "../../core/raft/index.ts";
import { createRaftStore, openRaftStore, type RaftStore, StoreError, type StoreWrite } from "../../io/storage/index.ts";
import { createNodeShell, type NodeShell, proposalCodec, proposalEntries, snapshotCodec, WatchHub } from "../daemon/index.ts";
import { VirtualServices } from "./agents.ts";
import { virtualClock } from "./clock.ts";
import { createSimulatedDisk, type SimulatedDisk } from "./disk.ts";
import { GUARDIAN_TIMES, GuardianMemory, VirtualGuardian } from "./guardian.ts";
import { virtualPlanner } from "./planner.ts";
import { type CoreChoice, probedRaft } from "./probe.ts";
import type { SeededFault } from "./seeded-faults.ts";
import { HostClock, VirtualProcess, type VirtualTime } from "./time.ts";
import { watchedStore } from "./watched-store.ts";

export const CLUSTER_ID = "00000000000000aa";

type Origin = { readonly incarnation: Incarnation; readonly term: number; readonly index: number } | null;

/** What a host tells the world; invariants and the trace listen. */
export type HostEvents = {
  /** What the host's core shows may have changed. */
  onTouched(host: VirtualHost): void;
  /** Promises of the host are under way: they settle before anything else happens. */
  onPromise(): void;
  send(from: VirtualHost, to: MemberId, message: Message<Proposal>): void;
  /** Committed entries, handed out to be applied. */
  onEntries(host: VirtualHost, entries: readonly Entry<Proposal>[]): void;
  onSave(host: VirtualHost, write: StoreWrite<Proposal>): void;
  onRestored(host: VirtualHost, facts: Restart): void;
  onService(host: VirtualHost, resource: string, active: boolean): void;
  onPromoted(host: VirtualHost, resource: string, promoted: boolean): void;
  /** The daemon takes this message in now. */
  onDeliver(host: VirtualHost, from: MemberId, message: Message<Proposal>): void;
  /** A write is durable. */
  onStored(host: VirtualHost, write: StoreWrite<Proposal>): void;
  /** The node took a snapshot of its own state. */
  onSnapshot(host: VirtualHost, meta: SnapshotMeta, bytes: Uint8Array): void;
  /** The core is asked for a read. */
  onReadAsked(host: VirtualHost, context: number): void;
  /** The core answered reads. */
  onReads(host: VirtualHost, reads: readonly ReadOutcome[]): void;
  /** An action has ended. */
  onEnd(host: VirtualHost, key: string, action: AgentAction, outcome: AgentOutcome): void;
  /** The member's memory is lost: it must come back under another id. */
  onAmnesia(host: VirtualHost, reasons: readonly string[]): void;
  /** The disk failed: the daemon has ended, and is started again in a while. */
  onDiskFailed(host: VirtualHost, error: StoreError): void;
  onSpawn(host: VirtualHost, key: string, action: AgentAction, origin: Origin): void;
  onAnswer(host: VirtualHost, id: number, answer: { readonly result: unknown } | { readonly error: { readonly code: string } }): void;
  onFatal(host: VirtualHost, error: unknown): void;
  fence(by: VirtualHost, action: AgentAction): { readonly takesMs: number; readonly end: () => AgentOutcome };
  onReset(host: VirtualHost, reason: string): void;
  trace(who: string, text: string): void;
  schedule: Schedule;
};

/** What a daemon found at its start. */
export type Restart = {
  readonly term: number;
  readonly vote: number | null;
  readonly commit: number;
  readonly first: number;
  readonly terms: ReadonlyMap<number, number>;
  readonly last: number;
  readonly finding: string;
};

/** What the world chooses for the nodes of its hosts. */
export type CoreSetup = {
  readonly core: CoreChoice;
  readonly raftTiming: Pick<Timing, "heartbeatMs" | "electionMs">;
  readonly nodeLossMs: number;
  readonly snapshotLogBytes: number;
};

export type HostOptions = {
  readonly name: string;
  readonly member: MemberId;
  readonly time: VirtualTime;
  readonly setup: CoreSetup;
  readonly random: Random;
  readonly selfFence: "reset" | "kill";
  readonly watchdogMs: number | null;
  readonly events: HostEvents;
  readonly seededFault: SeededFault | null;
};

/** One virtual machine: clock, disk, guardian, daemon and services. */
export class VirtualHost {
  readonly name: string;
  /** Changes when the store was lost: the old id must never speak again (RAFT.md §6). */
  member: MemberId;
  readonly clock: HostClock;
  readonly disk: SimulatedDisk;
  readonly services: VirtualServices;
  readonly #options: HostOptions;
  incarnation: Incarnation = incarnation("none");
  powered = false;
  guardian: VirtualGuardian | null = null;
  daemon: VirtualProcess | null = null;
  shell: NodeShell | null = null;
  /** Virtual time at which this start of the daemon began to count. */
  daemonSinceMs = 0;
  memory = new GuardianMemory();
  /** Watches of this start of the daemon. */
  hub: WatchHub | null = null;
  /** The policy worker takes this much longer for everything it is asked, milliseconds. */
  plannerDelayMs = 0;
  #planner: { post(message: ToPlanner): void } | null = null;
  #boots = 0;
  #starts = 0;
  /** The store has never been opened under this member id. */
  #fresh = true;
  #link = 0;
  /** Which members this daemon knows about. */
  configuration: Configuration | null = null;
  /** What a queue of the old life still holds: for the seeded fault of old incarnations. */
  #lastRun: Extract<Parameters<VirtualGuardian["say"]>[1], { kind: "run" }> | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
    this.name = options.name;
    this.member = options.member;
    this.clock = new HostClock(options.time, 1_000 + options.random.below(1_000_000));
    this.disk = createSimulatedDisk({
      random: seededRandom(options.random.nextUint32()),
      schedule: (delayMs, then) =>
        options.time.after(delayMs, "disk", () => {
          options.events.onPromise();
          then();
        }),
      syncMs: { min: 0, max: 2 },
    });
    this.services = new VirtualServices(
      seededRandom(options.random.nextUint32()),
      (resource, active) => options.events.onService(this, resource, active),
      (resource, promoted) => options.events.onPromoted(this, resource, promoted),
    );
  }

  /** Makes the store of a new member; `first` also makes it the cluster. */
  async found(
    first: { readonly hard: StoreWrite<Proposal>["hard"]; readonly entries: StoreWrite<Proposal>["entries"] } | null,
  ): Promise<void> {
    const identity = { cluster: CLUSTER_ID, member: this.member, nodeName: this.name, createdAtMs: 0 };
    await createRaftStore({ ...this.disk.open(), identity });
    if (first === null) return;
    const opened = await openRaftStore<Proposal>(this.#storeOptions());
    if (opened.kind !== "opened") throw new Error("the store that was just made cannot be opened");
    await opened.store.save({ hard: first.hard, entries: first.entries, snapshot: null, recovered: false });
    await opened.store.close();
  }

  powerOn(): void {
    if (this.powered) return;
    this.powered = true;
    this.#boots += 1;
    this.incarnation = incarnation(`${this.name}-boot-${this.#boots}`);
    this.memory = new GuardianMemory();
    this.#options.events.trace(this.name, `power on, incarnation ${this.#boots}`);
    this.startGuardian();
    this.startDaemon();
    this.#replayOldRun();
  }

  powerOff(): void {
    if (!this.powered) return;
    this.powered = false;
    this.#options.events.trace(this.name, "power off");
    this.killDaemon();
    this.guardian?.kill();
    this.guardian = null;
    this.services.clear();
    this.disk.powerCut();
  }

  startGuardian(): void {
    if (!this.powered || this.guardian !== null) return;
    const { events, time, watchdogMs, selfFence } = this.#options;
    const facts = { node: this.name, incarnation: this.incarnation, ...GUARDIAN_TIMES, selfFence, watchdogMs };
    const host = {
      time,
      clock: this.clock,
      services: this.services,
      fence: (action: AgentAction) => events.fence(this, action),
      toDaemon: (link: number, message: FromGuardian) => this.#fromGuardian(link, message),
      closeLink: () => {},
      onSpawn: (key: string, action: AgentAction, order: { readonly origin: Origin } | null) =>
        events.onSpawn(this, key, action, order?.origin ?? null),
      onEnd: (key: string, action: AgentAction, outcome: AgentOutcome) => events.onEnd(this, key, action, outcome),
      onReset: (reason: string) => events.onReset(this, reason),
      log: (level: string, message: string) => {
        if (level === "error" || level === "warn") events.trace(this.name, `guardian: ${message}`);
      },
    };
    this.guardian = new VirtualGuardian(host, facts, this.memory);
    this.#connectGuardian();
  }

  killGuardian(): void {
    if (this.guardian === null) return;
    this.#options.events.trace(this.name, "guardian killed");
    this.guardian.kill();
    this.guardian = null;
    this.#toDaemon({ kind: "guardian", message: { kind: "disconnected" } });
  }

  startDaemon(): void {
    if (!this.powered || this.daemon !== null) return;
    const process = new VirtualProcess("daemon");
    this.daemon = process;
    this.#starts += 1;
    this.#options.events.onPromise();
    void this.#open(process).catch((error: unknown) => {
      if (this.daemon === process) this.#fatal(error);
    });
  }

  /** A disk that fails ends the daemon, as it should (RAFT.md §6); anything else is a finding. */
  #fatal(error: unknown): void {
    const { events } = this.#options;
    if (!(error instanceof StoreError) || error.detail.code !== "STORE_FAILED") {
      events.onFatal(this, error);
      return;
    }
    this.killDaemon();
    events.onDiskFailed(this, error);
  }

  /** A new disk under a new member id: what the old one promised nobody knows any more. The daemon does not run. */
  async reborn(member: MemberId): Promise<void> {
    this.disk.wipe();
    this.member = member;
    this.configuration = null;
    this.#fresh = true;
    await this.found(null);
  }

  killDaemon(): void {
    if (this.daemon === null) return;
    this.#options.events.trace(this.name, "daemon killed");
    this.daemon.kill();
    this.daemon = null;
    this.shell?.close();
    this.shell = null;
    this.hub?.close();
    this.hub = null;
    this.disk.kill();
    this.guardian?.closed(this.#link);
  }

  /** An event for the daemon, if there is one. */
  deliver(event: NodeEvent): void {
    this.#toDaemon(event);
  }

  /** Does something to the core that no event of the node does, and lets the node take what comes of it. */
  inject(work: (core: NodeShell["core"]) => void): void {
    const { daemon } = this;
    daemon?.run(() => {
      if (this.daemon !== daemon || this.shell === null) return;
      work(this.shell.core);
      this.shell.deliver({ kind: "tick" });
    });
  }

  #toDaemon(event: NodeEvent): void {
    const { daemon } = this;
    daemon?.run(() => {
      if (this.daemon !== daemon || this.shell === null) return;
      this.shell.deliver(event);
    });
  }

  #storeOptions(): Parameters<typeof openRaftStore<Proposal>>[0] {
    const expected = { cluster: CLUSTER_ID, member: this.member, nodeName: this.name };
    return { ...this.disk.open(), commands: proposalCodec, expected, now: () => this.clock.nowMs() };
  }

  async #open(process: VirtualProcess): Promise<void> {
    const { events, random, setup } = this.#options;
    const opened = await openRaftStore<Proposal>(this.#storeOptions());
    if (!process.alive) return;
    if (opened.kind !== "opened") {
      this.daemon = null;
      process.kill();
      events.onAmnesia(this, opened.kind === "amnesia" ? opened.reasons : ["the store is empty"]);
      return;
    }
    const { loaded, store } = opened;
    const careless = this.#options.seededFault === "chain-check-skipped";
    const restored = careless ? { ...loaded.restored, recovering: false } : loaded.restored;
    const bytes = restored.snapshot === null ? null : await store.loadSnapshot();
    if (!process.alive) return;
    const terms = new Map(restored.entries.map((entry) => [entry.index as number, entry.term as number]));
    events.onRestored(this, {
      term: restored.hard.term,
      vote: restored.hard.vote,
      commit: restored.hard.commit,
      first: restored.mark.index + 1,
      last: restored.entries.at(-1)?.index ?? restored.mark.index,
      terms,
      finding: careless ? "clean" : loaded.finding.kind,
    });
    this.daemonSinceMs = this.#options.time.nowMs;
    const fresh = this.#fresh;
    this.#fresh = false;
    const state = bytes === null ? emptyState() : snapshotCodec.decode(bytes);
    this.hub = new WatchHub(state.index);
    const shell = createNodeShell(
      {
        node: this.name,
        memberId: this.member,
        boot: loaded.boot,
        version: "sim",
        startMs: Math.floor(this.clock.nowMs()),
        random: seededRandom(random.nextUint32()),
        restored,
        state,
        ...proposalEntries,
        raftTiming: setup.raftTiming,
        timing: { nodeLossMs: setup.nodeLossMs },
        snapshotLogBytes: setup.snapshotLogBytes,
        createRaft: probedRaft(setup.core, {
          onMessage: (from, message) => events.onDeliver(this, from, message as Message<Proposal>),
          onTouched: () => events.onTouched(this),
          onReadAsked: (context) => events.onReadAsked(this, context),
          onReady: (ready, owesWrite) => {
            if (owesWrite) events.onPromise();
            if (ready.commit.length > 0) events.onEntries(this, ready.commit as readonly Entry<Proposal>[]);
            if (ready.reads.length > 0) events.onReads(this, ready.reads);
          },
        }),
        ...(fresh ? { restartWait: false } : {}),
      },
      this.#adapters(process, this.#watched(store)),
    );
    this.shell = shell;
    shell.start();
    this.#connectGuardian();
    this.#planner = null;
    this.#options.time.after(1, "planner up", () => {
      if (process.alive) this.startPlanner();
    });
  }

  #watched(store: RaftStore<Proposal>): RaftStore<Proposal> {
    const { seededFault, events } = this.#options;
    return watchedStore(store, seededFault, {
      onPromise: events.onPromise,
      onSave: (write) => {
        events.onSave(this, write);
        if (seededFault === "uncommitted-intent") this.#runUncommitted(write);
      },
      onStored: (write) => events.onStored(this, write),
      onSnapshot: (meta, bytes) => events.onSnapshot(this, meta, bytes),
    });
  }

  #adapters(process: VirtualProcess, store: RaftStore<Proposal>): Parameters<typeof createNodeShell>[1] {
    const { events, time } = this.#options;
    const say = (message: Parameters<VirtualGuardian["say"]>[1]): void => {
      const link = this.#link;
      time.after(0.1, "guardian message", () => {
        if (process.alive && link === this.#link) this.guardian?.say(link, message);
      });
    };
    return {
      clock: virtualClock(time, this.clock, { process, random: this.#options.random }),
      store,
      links: {
        send: (to, message) => events.send(this, to, message),
        setPeers: (configuration) => {
          this.configuration = configuration;
        },
      },
      guardian: {
        run: (request) => {
          events.onPromise();
          if (this.guardian === null) return false;
          this.#lastRun = { kind: "run", ...request };
          say({ kind: "run", ...request });
          return true;
        },
        cancel: (key) => say({ kind: "cancel", key }),
        ack: (key) => say({ kind: "result.ack", key }),
        plan: (plan) => say({ kind: "plan", plan }),
        deadline: (lastTerm, atMonotonicMs) => say({ kind: "deadline", term: lastTerm, atMonotonicMs }),
        release: () => say({ kind: "release" }),
        selfFence: (reason) => say({ kind: "self-fence", reason }),
      },
      planner: { post: (message) => this.#planner?.post(message) },
      snapshots: snapshotCodec,
      log: {
        error: (_, message) => events.trace(this.name, `error: ${message}`),
        warn: (_, message) => events.trace(this.name, `warn: ${message}`),
        info: (fields, message) => events.trace(this.name, `${message} ${JSON.stringify(fields["index"] ?? fields["reason"] ?? "")}`),
        debug: () => {},
      },
      onAnswer: (id, answer) => events.onAnswer(this, id, answer),
      onWatch: (event, index) => this.hub?.push(event, index),
      onStop: () => this.killDaemon(),
      onFatal: (error) => this.#fatal(error),
    };
  }

  losePlanner(reason: string): void {
    this.#planner = null;
    this.deliver({ kind: "plannerLost", reason });
  }

  startPlanner(): void {
    const { daemon } = this;
    if (daemon === null || this.shell === null || this.#planner !== null) return;
    const { events, time, random } = this.#options;
    const planner = virtualPlanner({
      time,
      random,
      process: daemon,
      schedule: (cib, nowMs, hash) => events.schedule(cib, nowMs, hash),
      delayMs: () => this.plannerDelayMs,
      // What a dead worker was asked is lost.
      onAnswer: (message) => {
        if (planner === this.#planner) this.shell?.deliver({ kind: "planner", message });
      },
    });
    this.#planner = planner;
    this.deliver({ kind: "plannerStarted" });
  }

  #connectGuardian(): void {
    const { guardian, shell } = this;
    if (guardian === null || shell === null || this.daemon === null) return;
    this.#link += 1;
    guardian.say(this.#link, { kind: "hello", protocol: 1, node: this.name, daemonBoot: this.#starts });
  }

  #fromGuardian(link: number, message: FromGuardian): void {
    this.#options.time.after(0.1, "guardian answer", () => {
      if (link !== this.#link) return;
      if (message.kind === "welcome") {
        const { kind: _, protocol: __, ...facts } = message;
        this.#toDaemon({ kind: "guardian", message: { kind: "connected", ...facts } });
      } else this.#toDaemon({ kind: "guardian", message });
    });
  }

  /** Seeded fault: the member acts on what it has stored, not on what is committed. */
  #runUncommitted(write: StoreWrite<Proposal>): void {
    for (const entry of write.entries) {
      if (entry.kind !== "data" || entry.data.command.kind !== "intents.commit") continue;
      entry.data.command.intents.forEach((intent, at) => {
        if (intent.node !== this.name || intent.incarnation !== this.incarnation) return;
        const origin = { term: entry.term, index: entry.index, incarnation: intent.incarnation };
        this.guardian?.say(this.#link, { kind: "run", key: `${entry.index}.${at}`, origin, action: intent.action, planVersion: 0 });
      });
    }
  }

  /** Seeded fault: an order of the last life waits in a queue, and nobody looks at its incarnation. */
  #replayOldRun(): void {
    const old = this.#lastRun;
    if (this.#options.seededFault !== "old-incarnation" || old?.origin == null) return;
    const guardian = this.guardian;
    this.#options.time.after(2_000, "old order", () => {
      if (guardian !== this.guardian || old.origin === null) return;
      guardian?.say(this.#link, { ...old, key: `${old.key}`, origin: { ...old.origin, incarnation: this.incarnation } });
    });
  }
}
