import { type LogIndex, logIndex, type MemberId, memberId, type Random, term } from "../../../src/core/base/index.ts";
import { coreOf } from "../../../src/core/raft/core.ts";
import {
  type Configuration,
  type Entry,
  emptyConfiguration,
  emptyRestored,
  type Input,
  type Message,
  type RaftCore,
  type Ready,
  type Restored,
  type SnapshotMeta,
} from "../../../src/core/raft/index.ts";
import { startServer } from "../../../src/core/raft/state.ts";
import { configJson } from "./decisions.ts";

export type StartJson = {
  readonly index: number;
  readonly term: number;
  readonly voters: readonly number[];
  readonly learners?: readonly number[];
};
export type NodeOptions = Readonly<Record<string, number | boolean | undefined>>;
export const TICK_MS = 100;
const BOOT = 1;
const OPTIONS: readonly string[] = ["preVote", "checkQuorum", "stepDownOnRemoval", "maxInflight", "asyncStorage", "leaseReads"];
/** No compaction until a step asks for it. */
const KEEP_ALL = 1_000_000_000;

/** A message in a receiver's queue, or word from its own disk or state machine (asynchronous mode). */
export type Queued =
  | { readonly kind: "message"; readonly from: MemberId; readonly message: Message<string> }
  | { readonly kind: "own"; readonly input: Input<string> };

type Write = { readonly parts: readonly Ready<string>[]; readonly held: Ready<string>["sendAfter"] };

/** Vote traffic, snapshots and timeout-now as the data list them. */
export type Sent = Record<string, unknown>;

/** Never fires on its own within any scenario: the longest wait that the draw admits. */
const longestWait: Random = { nextUint32: () => 0xffffffff, below: (bound) => bound - 1, fraction: () => 0.999 };

function restoredOf(start: StartJson | undefined): Restored<string> {
  if (start === undefined) return emptyRestored();
  const last = { term: term(start.term), index: logIndex(start.index) };
  const configuration: Configuration = {
    ...emptyConfiguration(),
    voters: new Map(start.voters.map((id) => [memberId(id), 1] as const)),
    learners: new Set((start.learners ?? []).map(memberId)),
  };
  const snapshot: SnapshotMeta = { last, configuration, sizeBytes: 1, hash: `${start.index}` };
  return { hard: { term: term(0), vote: null, commit: last.index }, mark: last, snapshot, entries: [], recovering: false };
}

/** One node of a scenario: the core, a store that is a list, and the queues that the steps move along. */
export class ScenarioNode {
  readonly id: MemberId;
  readonly #core: RaftCore<string>;
  readonly #limits: { keepEntries: number };
  readonly #async: boolean;
  readonly #send: (to: MemberId, queued: Queued) => void;
  readonly #noteSent: (sent: Sent) => void;
  inbox: Queued[] = [];
  #now = 0;
  #parts: Ready<string>[] = [];
  #writes: Write[] = [];
  #applies: LogIndex[] = [];
  #store: Entry<string>[] = [];
  #storeFirst: number;
  #handed: { vote: MemberId | null; commit: LogIndex; end: readonly [number, number] | null; applied: LogIndex };
  #context = 0;
  /** What was refused since the last look. */
  refusals: { readonly context: number; readonly what: "proposal" | "change" | "transfer" }[] = [];

  constructor(
    id: number,
    setup: {
      readonly start: StartJson | undefined;
      readonly options: NodeOptions;
      readonly ticks: { readonly election: number; readonly heartbeat: number };
      readonly send: (to: MemberId, queued: Queued) => void;
      readonly noteSent: (sent: Sent) => void;
    },
  ) {
    this.id = memberId(id);
    const unknown = Object.keys(setup.options).find((name) => !OPTIONS.includes(name));
    if (unknown !== undefined) throw new Error(`unknown option ${unknown}`);
    const restored = restoredOf(setup.start);
    this.#async = setup.options["asyncStorage"] === true;
    this.#send = setup.send;
    this.#noteSent = setup.noteSent;
    this.#limits = { keepEntries: KEEP_ALL };
    const server = startServer<string>({
      id: this.id,
      boot: BOOT,
      startMs: 0,
      random: longestWait,
      restored,
      sizeOf: (data) => data.length,
      timing: { electionMs: setup.ticks.election * TICK_MS, heartbeatMs: setup.ticks.heartbeat * TICK_MS },
      limits: { inflightMessages: Number(setup.options["maxInflight"] ?? 256), keepEntries: KEEP_ALL },
      preVote: setup.options["preVote"] === true,
      checkQuorum: setup.options["checkQuorum"] === true,
      leaseReads: setup.options["leaseReads"] === true,
      restartWait: false,
      catchUpRounds: 0,
      simpleChanges: true,
      handOverOnRemoval: false,
      stepDownOnRemoval: setup.options["stepDownOnRemoval"] === true,
      applyUnstored: !this.#async,
    });
    this.#limits = server.settings.limits as { keepEntries: number };
    this.#core = coreOf(server);
    const commit = restored.snapshot?.last.index ?? logIndex(0);
    this.#storeFirst = commit + 1;
    this.#handed = { vote: null, commit, end: null, applied: commit };
  }

  step(input: Input<string>): void {
    this.#core.step(input);
    this.#gather();
  }

  /** Takes what the core owes right after each input, so that appends leave one per proposal, as in the data's source. */
  #gather(): void {
    for (let turn = 0; turn < 20; turn += 1) {
      const ready = this.#core.ready();
      for (const answer of ready.answers) {
        if (answer.outcome.kind === "refused") this.refusals.push({ context: answer.context, what: answer.kind });
      }
      if (isEmpty(ready)) return;
      this.#parts.push(ready);
      if (ready.verify !== null) this.#core.step({ kind: "snapshotVerified", last: ready.verify.last, ok: true });
    }
    throw new Error(`node ${this.id} never comes to rest`);
  }

  get hasOutput(): boolean {
    return this.#parts.length > 0 || this.#core.status().commit !== this.#handed.commit;
  }

  get hasWrites(): boolean {
    return this.#writes.length > 0;
  }

  get hasApplies(): boolean {
    return this.#applies.length > 0;
  }

  tick(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) {
      this.#now += TICK_MS;
      this.step({ kind: "tick", nowMs: this.#now });
    }
  }

  campaign(): void {
    this.step({ kind: "campaign", nowMs: this.#now });
  }

  receive(queued: Queued): void {
    if (queued.kind === "own") this.step(queued.input.kind === "stored" ? { ...queued.input, nowMs: this.#now } : queued.input);
    else this.step({ kind: "message", nowMs: this.#now, from: queued.from, message: queued.message });
  }

  /** A fresh context for a request of this node. */
  nextContext(): number {
    this.#context += 1;
    return this.#context;
  }

  /** The step `ready`: hands out what has gathered; in synchronous mode also writes, applies and reports it. */
  ready(): void {
    if (!this.hasOutput) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#noteHanded(parts);
    if (this.#async) this.#handOut(parts);
    else this.#finish(parts);
  }

  #noteHanded(parts: readonly Ready<string>[]): void {
    const status = this.#core.status();
    let { end, applied } = this.#handed;
    for (const part of parts) {
      if (part.snapshot !== null) {
        end = [part.snapshot.meta.last.term, part.snapshot.meta.last.index];
        applied = part.snapshot.meta.last.index;
      }
      const last = part.entries.at(-1);
      if (last !== undefined) end = [last.term, last.index];
      applied = part.commit.at(-1)?.index ?? applied;
    }
    this.#handed = { vote: status.vote, commit: status.commit, end, applied };
  }

  #finish(parts: readonly Ready<string>[]): void {
    for (const part of parts) {
      for (const one of part.sendNow) this.#transmit(one.to, one.message);
      this.#write(part);
      for (const one of part.sendAfter) this.#transmit(one.to, one.message);
      const applied = part.commit.at(-1)?.index ?? part.snapshot?.meta.last.index;
      if (part.ticket !== null) this.step({ kind: "stored", nowMs: this.#now, ticket: part.ticket });
      if (applied !== undefined) this.#applied(applied);
    }
  }

  /**
   * Asynchronous mode. The data's source releases vote requests before the vote is durable (and counts its own vote
   * only afterwards); ours waits. So that the steps line up, the harness releases them early here.
   */
  #handOut(parts: readonly Ready<string>[]): void {
    const held = parts.flatMap((part) => {
      const late = part.sendNow.filter((one) => isAnswer(one.message));
      for (const one of part.sendNow) if (!isAnswer(one.message)) this.#transmit(one.to, one.message);
      for (const one of part.sendAfter) if (one.message.kind === "vote") this.#transmit(one.to, one.message);
      return [...late, ...part.sendAfter.filter((one) => one.message.kind !== "vote")];
    });
    if (parts.length === 0 || held.length > 0 || parts.some((part) => part.ticket !== null || part.commit.length > 0)) {
      this.#writes.push({ parts, held });
    }
    for (const part of parts) {
      const applied = part.commit.at(-1)?.index ?? part.snapshot?.meta.last.index;
      if (applied !== undefined) this.#applies.push(applied);
    }
  }

  /** The step `persist`: the oldest waiting write; word of it reaches the node through its own queue. */
  persist(): void {
    const write = this.#writes.shift();
    if (write === undefined) return;
    for (const part of write.parts) this.#write(part);
    for (const one of write.held) this.#transmit(one.to, one.message);
    for (const { ticket } of write.parts) {
      if (ticket !== null) this.#send(this.id, { kind: "own", input: { kind: "stored", nowMs: this.#now, ticket } });
    }
  }

  apply(): void {
    const index = this.#applies.shift();
    if (index !== undefined) this.#send(this.id, { kind: "own", input: { kind: "applied", index } });
  }

  #applied(index: LogIndex): void {
    this.step({ kind: "applied", index });
    this.#offerSnapshot(KEEP_ALL);
  }

  /** Keeps the core's snapshot at the applied index, as the data's source makes one on demand. */
  #offerSnapshot(keepEntries: number): void {
    const status = this.#core.status();
    if (keepEntries === KEEP_ALL && [...status.peers.values()].some((peer) => peer.mode === "snapshot")) return;
    const last = this.#core.entryId(status.applied);
    if (last === null) return;
    this.#limits.keepEntries = keepEntries;
    const configuration = this.#core.configurationAt(status.applied);
    this.step({ kind: "snapshotTaken", snapshot: { last, configuration, sizeBytes: 1, hash: `${last.index}` } });
  }

  compact(index: number): void {
    this.#offerSnapshot(this.#core.status().applied - index);
    this.#store = this.#store.filter((entry) => entry.index > index);
    this.#storeFirst = Math.max(this.#storeFirst, index + 1);
  }

  #write(part: Ready<string>): void {
    if (part.snapshot !== null) {
      this.#store = [];
      this.#storeFirst = part.snapshot.meta.last.index + 1;
    }
    const from = part.entries[0]?.index;
    if (from === undefined) return;
    this.#store = [...this.#store.filter((entry) => entry.index < from), ...part.entries];
  }

  #transmit(to: MemberId, message: Message<string>): void {
    const listed = listedSend(this.id, to, message);
    if (listed !== null) this.#noteSent(listed);
    const filled = message.kind === "snapChunk" ? { ...message, data: new Uint8Array(message.length) } : message;
    this.#send(to, { kind: "message", from: this.id, message: filled });
  }

  /** The message of the step `send-snapshot`: the node's present snapshot, whole. */
  snapshotMessage(): Message<string> {
    const status = this.#core.status();
    const snapshot = status.snapshot;
    if (snapshot === null) throw new Error(`node ${this.id} has no snapshot`);
    const length = snapshot.sizeBytes;
    return { kind: "snapChunk", term: status.term, boot: BOOT, snapshot, offset: 0, length, data: new Uint8Array(length) };
  }

  state(): Record<string, unknown> {
    const status = this.#core.status();
    const role = status.role === "preCandidate" ? "pre-candidate" : status.role;
    const { vote, commit, end, applied } = this.#handed;
    return { role, term: status.term, leader: status.leader, vote, commit, end, applied, config: configJson(status.configuration) };
  }

  roles(): Record<string, unknown> {
    const { configuration } = this.#core.status();
    const voter = configuration.voters.has(this.id) || configuration.outgoing.has(this.id);
    const { role, term: current, leader } = this.state();
    return { role, voter, term: current, leader };
  }

  log(): Record<string, unknown> {
    const entries = this.#store.map((entry) => {
      const place = { term: entry.term, index: entry.index };
      if (entry.kind === "config") return { ...place, kind: "config" };
      if (entry.kind === "empty" || entry.data === "") return { ...place, kind: "empty", data: "" };
      return { ...place, kind: "data", data: entry.data };
    });
    return { first: this.#storeFirst, entries };
  }

  progress(): Record<string, unknown> {
    const status = this.#core.status();
    const learner = status.configuration.learners.has(this.id);
    const idle = { paused: false, inflight: 0, pendingSnapshot: null, inactive: false };
    const own = { ...idle, mode: "replicate", match: status.stored, next: status.stored + 1, learner };
    const peers = [...status.peers].map(([id, peer]) => {
      const { mode, match, next, paused, inflight, pendingSnapshot, learner } = peer;
      return [`${id}`, { mode, match, next, paused, inflight, pendingSnapshot, learner, inactive: !peer.active }] as const;
    });
    return { [`${this.id}`]: own, ...Object.fromEntries(peers) };
  }
}

function isEmpty(ready: Ready<string>): boolean {
  const { ticket, sendNow, sendAfter, commit, verify } = ready;
  return ticket === null && sendNow.length === 0 && sendAfter.length === 0 && commit.length === 0 && verify === null;
}

function isAnswer(message: Message<string>): boolean {
  return message.kind === "appendReply" || message.kind === "preVoteReply" || message.kind === "voteReply";
}

function listedSend(from: MemberId, to: MemberId, message: Message<string>): Sent | null {
  switch (message.kind) {
    case "preVote":
      return { from, to, kind: "pre-vote", term: message.forTerm, lastLog: [message.lastTerm, message.lastIndex] };
    case "vote":
      return { from, to, kind: "vote", term: message.term, lastLog: [message.lastTerm, message.lastIndex] };
    case "preVoteReply":
      return { from, to, kind: "pre-vote-reply", term: message.granted ? message.forTerm : message.term, granted: message.granted };
    case "voteReply":
      return { from, to, kind: "vote-reply", term: message.term, granted: message.granted };
    case "snapChunk":
      return message.offset === 0 ? { from, to, kind: "snapshot", term: message.term } : null;
    case "timeoutNow":
      return { from, to, kind: "timeout-now", term: message.term };
    default:
      return null;
  }
}
