import { invariant, type LogIndex, type Term, unreachable } from "../base/index.ts";
import { apply, applyEmpty, type CibState, type Command, type NodeStatus, type Proposal, type ProposalOrigin } from "../cib/index.ts";
import type { Entry, EntryId, RaftCore, Ready, Status } from "../raft/index.ts";
import { deadMember } from "./dead-members.ts";
import { Departure } from "./departure.ts";
import { describeCommand } from "./describe.ts";
import { type Host, stampMs } from "./host.ts";
import { Leader } from "./leader.ts";
import { Member } from "./member.ts";
import { PlannerFeed } from "./planner-feed.ts";
import { Proposals } from "./proposals.ts";
import { Requests } from "./requests.ts";
import {
  DEFAULT_NODE_TIMING,
  type Effect,
  type NodeEvent,
  type NodeOptions,
  type NodeTiming,
  PROPOSAL_TIMEOUT_MS,
  type ProposeOutcome,
  type Step,
  type Steps,
} from "./types.ts";

/** Duties are looked at this often although no event comes, milliseconds, while something is under way. */
export const DUTY_TICK_MS = 50;
/** Once there is a new leader, what was forwarded to the old one and not answered is given up after this long, milliseconds. */
const LOST_PROPOSAL_MS = 100;
/** The leader looks this often whether the membership still needs its help, milliseconds. */
const MEMBERSHIP_LOOK_MS = 2_000;
/** The same while nothing is: what time alone changes then is known beforehand, or can wait this long. */
export const QUIET_TICK_MS = 200;
/** A follower's timer leaves the look to the heartbeat that is about to come: one waking instead of two, milliseconds. */
const HEARTBEAT_SLACK_MS = 60;
/**
 * A new commit index waits this long for an append to ride on, milliseconds: under load it costs no message of its own, and
 * alone it is well within the tick that RAFT.md §2 feature 15 allows.
 */
const COMMIT_HINT_MS = 3;
/** Appends in flight to one follower that need not be full: one in its write, one that gathers behind it. */
const INFLIGHT_PARTIAL = 2;
/** A snapshot is taken when the log holds this much, bytes, or as much as the last snapshot (RAFT.md §5). */
export const SNAPSHOT_LOG_BYTES = 8 * 1024 * 1024;

/**
 * One node: the consensus core, the replicated state and the duties of member and leader. Pure: events in, effects out,
 * so that the simulator and the daemon run the same node. Throws `InvariantError` on a defect, after which it is dead.
 */
export class NodeCore implements Host {
  readonly options: NodeOptions;
  readonly timing: NodeTiming;
  readonly raft: RaftCore<Proposal>;
  nowMs: number;
  wallMs = 0;
  #state: CibState;
  #status: Status | null = null;
  #effects: Effect[] = [];
  #carryOut: (effect: Effect) => void = () => {};
  readonly #proposals = new Proposals();
  readonly #member: Member;
  readonly #leader: Leader;
  readonly #requests: Requests;
  readonly #departure: Departure;
  #configIndex: LogIndex | null = null;
  /** Links to members that are leaving are kept. */
  #leaves = false;
  /** Set while an installed snapshot is being loaded; commits that follow it wait. */
  #installing: EntryId | null = null;
  #held: Entry<Proposal>[] = [];
  readonly #feed = new PlannerFeed();
  #clockChangedMs: number;
  #snapshotUnderWay = false;
  #nextDutiesMs = 0;
  #quiet = false;
  #follows = false;
  /** Since the last look at the duties role, leader or term have changed, or the state in more than attributes. */
  #isNews = false;

  constructor(options: NodeOptions) {
    this.options = options;
    this.timing = { ...DEFAULT_NODE_TIMING, ...options.timing };
    this.nowMs = options.startMs;
    this.#state = options.state;
    this.#clockChangedMs = options.startMs;
    const raft = options.createRaft<Proposal>({
      id: options.memberId,
      boot: options.boot,
      startMs: options.startMs,
      random: options.random,
      restored: options.restored,
      sizeOf: options.sizeOf,
      timing: { commitHintMs: COMMIT_HINT_MS, ...options.raftTiming },
      limits: { inflightPartial: INFLIGHT_PARTIAL },
      ...(options.entryOf === undefined ? {} : { entryOf: options.entryOf }),
      ...(options.restartWait === undefined ? {} : { restartWait: options.restartWait }),
    });
    // What the core shows changes when it is fed or asked, and never in between.
    this.raft = {
      ...raft,
      step: (input) => {
        this.#status = null;
        raft.step(input);
      },
      ready: () => {
        this.#status = null;
        return raft.ready();
      },
    };
    this.#leader = new Leader(this);
    this.#member = new Member(this);
    this.#requests = new Requests(this, this.#leader);
    this.#departure = new Departure(this, this.#member);
  }

  get state(): CibState {
    return this.#state;
  }

  get clockAgeMs(): number {
    return this.nowMs - this.#clockChangedMs;
  }

  /** Taken at most once between two changes: most events need none. */
  get raftStatus(): Status {
    this.#status ??= this.raft.status();
    return this.#status;
  }

  get self(): NodeStatus | undefined {
    const own = this.#state.nodes.get(this.options.node);
    return own?.memberId === this.options.memberId ? own : undefined;
  }

  /** Own clock at which `tick` is wanted at the latest. */
  nextWakeMs(): number {
    const slackMs = this.#quiet && this.#follows ? HEARTBEAT_SLACK_MS : 0;
    const tellMs = this.#leader.leading ? this.#feed.wakeMs : Number.POSITIVE_INFINITY;
    return Math.min(this.raft.nextWakeMs(), this.#nextDutiesMs + slackMs, tellMs);
  }

  step(step: Step): readonly Effect[] {
    const effects: Effect[] = [];
    this.stepAll({ nowMs: step.nowMs, wallMs: step.wallMs, events: [step.event] }, (effect) => effects.push(effect));
    return effects;
  }

  /**
   * Several events that arrived together, in order: what they lead to leaves together, so that a burst of requests costs
   * one append to each peer and one write (group commit, RAFT.md §2 feature 14). `carryOut` gets the effects in their order and
   * as they are known: messages and writes first, so that network and disk are at work while the rest is computed. It must
   * not call the node.
   */
  stepAll(steps: Steps, carryOut: (effect: Effect) => void): void {
    this.#carryOut = carryOut;
    this.nowMs = Math.max(this.nowMs, steps.nowMs);
    this.wallMs = steps.wallMs;
    this.#effects = [];
    const before = this.#state;
    let due = false;
    let asked = false;
    for (const event of steps.events) {
      this.#handle(event);
      due ||= !FREQUENT.has(event.kind);
      asked ||= event.kind === "request";
    }
    this.#pump();
    // Heartbeats are most of what arrives; duties are only looked at when something may have changed for them.
    const changed = asked || before !== this.#state;
    if (due || this.nowMs >= this.#nextDutiesMs || this.#isNews || (changed && this.#requests.desk.watches)) {
      this.#isNews = false;
      this.#nextDutiesMs = this.nowMs + DUTY_TICK_MS;
      this.#duties();
      this.#planNextDuties();
    } else if (changed) {
      // Requests and attributes come by the thousand: together they are worth one look, and hardly a waking of its own.
      this.#nextDutiesMs = Math.min(this.#nextDutiesMs, this.nowMs + QUIET_TICK_MS);
    }
    this.#giveOwed();
  }

  /** Hands over what is owed by now. */
  #giveOwed(): void {
    if (this.#effects.length === 0) return;
    const effects = this.#effects;
    this.#effects = [];
    for (const effect of effects) this.#carryOut(effect);
  }

  /** Nothing under way: no intent, fencing, proposal, request or departure, so the next look may wait (RAFT.md §1). */
  #planNextDuties(): void {
    const { intents, fencing } = this.#state;
    const { role, leader } = this.raftStatus;
    const still =
      intents.size === 0 && fencing.size === 0 && this.#proposals.size === 0 && !this.#requests.desk.waits && !this.#departure.begun;
    this.#quiet = still && leader !== null && this.#leader.quiet && this.#member.quiet;
    this.#follows = role === "follower";
    if (!this.#quiet) return;
    const nextMs = Math.min(this.#leader.nextLookMs, this.#member.nextLookMs);
    this.#nextDutiesMs = Math.min(this.nowMs + QUIET_TICK_MS, Math.max(this.#nextDutiesMs, nextMs));
  }

  propose(
    commands: readonly Command[],
    timeoutMs: number,
    then: (outcomes: readonly ProposeOutcome[]) => void,
    origin: ProposalOrigin | null = null,
  ): void {
    const atMs = stampMs(this);
    const context = this.#proposals.open(commands.length, this.nowMs + timeoutMs, this.raft.term(), then);
    this.raft.step({ kind: "propose", context, commands: commands.map((command) => ({ atMs, origin, command })) });
  }

  emit(effect: Effect): void {
    // The planner must have seen what was applied before it is asked anything.
    if (effect.kind === "planner") this.#tellPlanner();
    this.#effects.push(effect);
  }

  /** Hands what was applied to the policy worker. */
  #tellPlanner(): void {
    const message = this.#feed.take(this.#state, this.nowMs, () => stampMs(this));
    if (message !== null) this.#effects.push({ kind: "planner", message });
  }

  log(level: LogLevel, facts: Readonly<Record<string, unknown>>, text: string): void {
    if (this.#reads(level)) this.#effects.push({ kind: "log", level, facts, text });
  }

  /** Does anybody read lines of this level? */
  #reads(level: LogLevel): boolean {
    return level !== "debug" || this.options.logsDebug !== false;
  }

  #handle(event: NodeEvent): unknown {
    const { nowMs } = this;
    switch (event.kind) {
      case "tick":
        this.raft.step({ kind: "tick", nowMs });
        return;
      case "message":
        this.raft.step({ kind: "message", nowMs, from: event.from, message: this.#restamped(event.message) });
        return;
      case "stored":
        this.raft.step({ kind: "stored", nowMs, ticket: event.ticket });
        return;
      case "snapshotVerified":
        this.raft.step(event);
        return;
      case "snapshotLoaded":
        this.#loaded(event.last, event.state);
        return;
      case "snapshotTaken":
        this.#snapshotUnderWay = false;
        this.raft.step(event);
        return;
      case "link":
        this.raft.step({ kind: "link", peer: event.peer, up: event.change === "up" });
        this.#leader.onLink(event.peer, event.change);
        return;
      case "guardian":
        this.#member.onGuardian(event.message);
        return;
      case "planner":
        if (event.message.kind === "heard") this.#feed.heard();
        else if (event.message.kind === "rehearsed" || event.message.kind === "explained") this.#requests.desk.onPlanner(event.message);
        else this.#leader.onPlanner(event.message);
        return;
      case "plannerStarted":
        this.#feed.started();
        this.#requests.desk.plannerUp = true;
        this.#leader.plannerStarted();
        return;
      case "plannerLost":
        this.#feed.lost();
        this.#requests.desk.plannerUp = false;
        this.#leader.plannerLost(event.reason);
        return;
      case "request":
        this.#requests.onRequest(event.id, event.method, event.params);
        return;
      case "requestGone":
        this.#requests.desk.gone(event.id);
        return;
      case "admit":
        this.#requests.onAdmit(event.id, event.admission);
        return;
      case "shutdown":
        this.#departure.begin(event.mode);
        return;
      default:
        return unreachable(event);
    }
  }

  /** The leader's clock alone stamps entries (RAFT.md §7), also those that a follower has forwarded. */
  #restamped(message: Extract<NodeEvent, { kind: "message" }>["message"]): Extract<NodeEvent, { kind: "message" }>["message"] {
    if (message.kind !== "propose") return message;
    const atMs = stampMs(this);
    return { ...message, commands: message.commands.map((proposal) => ({ ...proposal, atMs })) };
  }

  #duties(): void {
    const { leader, term } = this.raftStatus;
    if (leader !== null && term !== this.#ledTerm) {
      this.#ledTerm = term;
      this.#proposals.leaderChanged(term, this.nowMs + LOST_PROPOSAL_MS);
    }
    this.#proposals.expire(this.nowMs, this.#state.index);
    this.#leader.duties();
    this.#member.duties();
    this.#requests.desk.duties();
    this.#departure.duties();
    this.#lookAfterMembers();
    this.#pump();
    this.#takeSnapshot();
  }

  #nextLookMs = 0;
  #ledTerm: Term | null = null;

  /**
   * A learner that joined while its promotion failed (a new leader, too slow) is asked for again; a member whose node was
   * forgotten by a removal that got no further is taken out, and so is a dead one if the operators have asked for that.
   */
  #lookAfterMembers(): void {
    if (!this.#leader.leading || this.nowMs < this.#nextLookMs || this.raftStatus.configuration.outgoing.size > 0) return;
    this.#nextLookMs = this.nowMs + MEMBERSHIP_LOOK_MS;
    if (this.#requests.membership.removeStrangers()) return;
    const dead = deadMember(this);
    if (dead !== null) {
      // Its node goes first; the next look takes out the member that has none.
      this.log("warn", { node: dead.name, member: dead.memberId }, "a member is dead for dead-member-timeout: it is removed");
      const meant = dead.memberId === null ? {} : { memberId: dead.memberId };
      this.propose([{ kind: "node.forget", node: dead.name, ...meant }], PROPOSAL_TIMEOUT_MS, () => {});
      return;
    }
    for (const member of this.raftStatus.configuration.learners) {
      const peer = this.raftStatus.peers.get(member);
      if (peer?.lastAnswerMs == null || this.nowMs - peer.lastAnswerMs > 1_000) continue;
      const node = [...this.#state.nodes.values()].find((candidate) => candidate.memberId === member);
      if (node?.votesWanted === 0 || peer.match + 64 < this.raftStatus.commit) continue;
      this.#requests.membership.promoteWhenCaughtUp(member);
      return;
    }
  }

  #pump(): void {
    // Applying an entry may propose another, so this goes on until the core hands out nothing.
    let entries = this.#configIndex === null;
    while (this.raft.hasReady()) {
      const ready = this.raft.ready();
      if (ready.soft !== null) this.#isNews = true;
      if (isEmpty(ready)) break;
      entries ||= ready.entries.length > 0 || ready.snapshot !== null;
      this.#give(ready);
      this.#giveOwed();
      this.#take(ready);
    }
    // A configuration is in force when it is appended, and replaced when its entry is.
    if ((entries && this.raftStatus.configIndex !== this.#configIndex) || this.#leavingCommits()) this.#tellPeers();
    if (this.#feed.isDue(this.nowMs, this.#leader.leading)) this.#tellPlanner();
  }

  /** A leader that is removed leads until its removal is committed: it needs the others' answers until then (RAFT.md §2 feature 9). */
  #tellPeers(): void {
    const { configuration, configIndex, commit } = this.raftStatus;
    this.#configIndex = configIndex;
    const before = commit < configIndex ? this.raft.configurationAt(commit).members : [];
    const leaving = new Map([...before].filter(([member]) => !configuration.members.has(member)));
    this.#leaves = leaving.size > 0;
    this.emit({ kind: "peers", configuration, leaving });
  }

  #leavingCommits(): boolean {
    return this.#leaves && this.raftStatus.commit >= this.raftStatus.configIndex;
  }

  /** What others wait for: peers and the disk. */
  #give(ready: Ready<Proposal>): void {
    if (ready.sendNow.length > 0) this.emit({ kind: "send", envelopes: ready.sendNow });
    const { hard, entries, snapshot, recovered, chunks, sendAfter, ticket } = ready;
    if (ticket !== null || sendAfter.length > 0 || chunks.length > 0) {
      this.emit({ kind: "persist", write: { hard, entries, snapshot, recovered, chunks, sendAfter, ticket } });
    }
    if (snapshot !== null) {
      this.#installing = snapshot.meta.last;
      this.emit({ kind: "loadSnapshot", last: snapshot.meta.last });
    }
    if (ready.verify !== null) this.emit({ kind: "verifySnapshot", snapshot: ready.verify });
    if (ready.compactTo !== null) this.emit({ kind: "compact", to: ready.compactTo });
  }

  #take(ready: Ready<Proposal>): void {
    for (const answer of ready.answers) {
      if (answer.kind === "proposal") this.#proposals.answered(answer);
      else this.#requests.desk.onAnswer(answer);
    }
    this.#applyAll(ready.commit);
    for (const read of ready.reads) this.#requests.desk.onRead(read);
  }

  #applyAll(entries: readonly Entry<Proposal>[]): void {
    if (entries.length === 0) return;
    if (this.#installing !== null) {
      this.#held.push(...entries);
      return;
    }
    for (const entry of entries) this.#applyOne(entry);
    this.raft.step({ kind: "applied", index: this.#state.index });
  }

  #applyOne(entry: Entry<Proposal>): void {
    invariant(entry.index === this.#state.index + 1, `entry ${entry.index} was handed out after ${this.#state.index}`);
    if (entry.kind !== "data") {
      this.#isNews = true;
      this.#state = applyEmpty(this.#state, entry.index);
      this.#feed.note(entry, null, this.#leader.rests);
      this.#proposals.applied(entry.index, entry.term, null);
      return;
    }
    const proposal = entry.data;
    this.#isNews ||= proposal.command.kind !== "attribute.set";
    const before = this.#state;
    const { state, result } = apply(before, entry.index, proposal);
    if (state.clockMs !== this.#state.clockMs) this.#clockChangedMs = this.nowMs;
    this.#state = state;
    this.#feed.note(entry, proposal.command, this.#leader.rests);
    this.#proposals.applied(entry.index, entry.term, result);
    const told = describeCommand(proposal.command, result, before);
    if (told.level !== null && this.#reads(told.level)) this.log(told.level, { index: entry.index, ...told.facts }, told.summary);
    if (result.ok) {
      const { summary, facts } = told;
      const event = { kind: "applied", command: proposal.command.kind, summary, facts, atMs: state.clockMs } as const;
      this.emit({ kind: "watch", event, index: entry.index });
    }
  }

  #loaded(last: EntryId, state: CibState): void {
    if (this.#installing === null || this.#installing.index !== last.index) return;
    invariant(state.index === last.index, `the snapshot at ${last.index} holds the state at ${state.index}`);
    this.#installing = null;
    this.#isNews = true;
    this.#state = state;
    this.#proposals.jumped();
    this.#clockChangedMs = this.nowMs;
    this.log("info", { index: last.index }, "a snapshot of the leader was taken over");
    this.#feed.dropped();
    if (this.#feed.up) this.emit({ kind: "planner", message: { kind: "load", state } });
    this.emit({ kind: "watch", event: { kind: "reset" }, index: state.index });
    this.raft.step({ kind: "applied", index: state.index });
    const held = this.#held;
    this.#held = [];
    this.#applyAll(held.filter((entry) => entry.index > state.index));
  }

  #takeSnapshot(): void {
    const status = this.raftStatus;
    const threshold = Math.max(this.options.snapshotLogBytes ?? SNAPSHOT_LOG_BYTES, status.snapshot?.sizeBytes ?? 0);
    if (this.#snapshotUnderWay || this.#installing !== null || status.logBytes < threshold) return;
    const last = this.raft.entryId(this.#state.index);
    if (last === null || last.index <= (status.snapshot?.last.index ?? 0)) return;
    this.#snapshotUnderWay = true;
    this.emit({ kind: "takeSnapshot", state: this.#state, last, configuration: this.raft.configurationAt(last.index) });
  }
}

type LogLevel = Extract<Effect, { kind: "log" }>["level"];

/** Events that come many times a second and seldom matter to the duties. */
const FREQUENT: ReadonlySet<NodeEvent["kind"]> = new Set<NodeEvent["kind"]>(["message", "tick", "stored", "request"]);

function isEmpty(ready: Ready<Proposal>): boolean {
  return (
    ready.ticket === null &&
    ready.sendNow.length === 0 &&
    ready.sendAfter.length === 0 &&
    ready.commit.length === 0 &&
    ready.reads.length === 0 &&
    ready.answers.length === 0 &&
    ready.chunks.length === 0 &&
    ready.verify === null &&
    ready.compactTo === null &&
    ready.snapshot === null
  );
}
