import { createHash } from "node:crypto";
import { type LogIndex, logIndex, type MemberId, memberId, type Random, term } from "../../../src/core/base/index.ts";
import { stepServer } from "../../../src/core/raft/core.ts";
import {
  type Configuration,
  type Entry,
  emptyConfiguration,
  type HardState,
  type Input,
  type Message,
  type Ready,
  type SeededFault,
} from "../../../src/core/raft/index.ts";
import { takeReady } from "../../../src/core/raft/output.ts";
import { type Server, startServer } from "../../../src/core/raft/state.ts";

/** How often each kind of event may still happen on a path: the bounds of the exploration. */
export type Budget = {
  campaigns: number;
  proposals: number;
  crashes: number;
  duplicates: number;
  heartbeats: number;
  damages: number;
  changes: number;
};

export type Setup = {
  readonly votes: readonly number[];
  readonly budget: Budget;
  /** Nodes whose writes finish only by a step of their own; those of the others finish at once. */
  readonly lazyWriters: readonly number[];
  /** Who may start elections, who may crash or be damaged, and who hears nothing at all; everybody or nobody if absent. */
  readonly campaigners?: readonly number[];
  readonly crashers?: readonly number[];
  readonly deaf?: readonly number[];
  /** Moves that every path begins with, by name: they lead to where it becomes interesting. */
  readonly prefix?: readonly string[];
  readonly maxTerm: number;
  readonly maxMessages: number;
  readonly faults: ReadonlySet<SeededFault>;
  /** Stored logs at the start, as terms, and the stored terms; empty if absent. */
  readonly logs?: readonly (readonly number[])[];
  readonly terms?: readonly number[];
};

export type Disk = { hard: HardState; entries: readonly Entry<string>[]; damaged: boolean };
/** `digest` = text of all that tells it apart, made when first wanted; a node is copied before it changes. */
export type Node = {
  server: Server<string>;
  disk: Disk;
  writes: Ready<string>[];
  boot: number;
  nowMs: number;
  checkedCommit: number;
  digest: string | null;
};
export type Letter = { readonly from: number; readonly to: number; readonly message: Message<string>; readonly key: string };

/** One state of the whole: three servers or so, their disks, what is on the way, and what has been promised so far. */
export type State = {
  nodes: Node[];
  letters: Letter[];
  budget: Budget;
  /** Terms of the committed entries, by index from 1. */
  committed: number[];
  /** Term in which each of them was first known to be committed. */
  committedIn: number[];
  leaders: Map<number, number>;
};

/** Always the same draw: chance is replaced by exploring every order of events. */
const noChance: Random = { nextUint32: () => 0, below: () => 0, fraction: () => 0 };

export class Violation extends Error {}

function demand(holds: boolean, rule: string): void {
  if (!holds) throw new Violation(rule);
}

function genesis(votes: readonly number[]): Configuration {
  return { ...emptyConfiguration(), voters: new Map(votes.map((count, at) => [memberId(at + 1), count] as const)) };
}

export function startNode(setup: Setup, id: number, disk: Disk, boot: number): Node {
  const zero = { term: term(0), index: logIndex(0) };
  const server = startServer<string>({
    id: memberId(id),
    boot,
    startMs: 0,
    random: noChance,
    restored: {
      hard: disk.hard,
      mark: zero,
      snapshot: { last: zero, configuration: genesis(setup.votes), sizeBytes: 0, hash: "" },
      entries: disk.entries,
      recovering: disk.damaged,
    },
    sizeOf: (data) => data.length,
    // One entry a message, so that old entries travel alone; no pre-vote and no stickiness: every election is possible.
    limits: { appendBytes: 1, inflightMessages: 2 },
    preVote: false,
    checkQuorum: false,
    restartWait: false,
    seededFaults: setup.faults,
  });
  return { server, disk, writes: [], boot, nowMs: 0, checkedCommit: 0, digest: null };
}

export function firstState(setup: Setup): State {
  const nodes = setup.votes.map((_, at) => {
    const terms = setup.logs?.[at] ?? [];
    const entries = terms.map((one, n): Entry<string> => ({ term: term(one), index: logIndex(n + 1), kind: "data", data: `${one}` }));
    const hard: HardState = { term: term(setup.terms?.[at] ?? 0), vote: null, commit: logIndex(0) };
    return startNode(setup, at + 1, { hard, entries, damaged: false }, 1);
  });
  return { nodes, letters: [], budget: { ...setup.budget }, committed: [], committedIn: [], leaders: new Map() };
}

/** Copies everything that changes; entries, messages, settings and chance are shared, they never change. */
export function copyState(state: State): State {
  return {
    nodes: [...state.nodes],
    letters: [...state.letters],
    budget: { ...state.budget },
    committed: [...state.committed],
    committedIn: [...state.committedIn],
    leaders: new Map(state.leaders),
  };
}

/** The node as this state's own, to be changed: the states before keep theirs. */
export function own(state: State, id: number): Node {
  const node = state.nodes[id - 1];
  if (node === undefined) throw new Error(`no node ${id}`);
  const copy: Node = { ...node, server: copyServer(node.server), writes: [...node.writes], digest: null };
  state.nodes[id - 1] = copy;
  return copy;
}

function copyServer(server: Server<string>): Server<string> {
  const { log, leadership, out } = server;
  const peers = [...server.peers].map(([id, peer]): [MemberId, typeof peer] => {
    return [id, { ...peer, inflight: [...peer.inflight], stream: peer.stream === null ? null : { ...peer.stream } }];
  });
  return {
    ...server,
    log: { ...log, entries: [...log.entries], sizes: [...log.sizes], configs: [...log.configs] },
    votes: new Map(server.votes),
    peers: new Map(peers),
    boots: new Map(server.boots),
    leadership: leadership === null ? null : { ...leadership, rounds: [...leadership.rounds], reads: [...leadership.reads] },
    forwardedReads: [...server.forwardedReads],
    confirmedReads: [...server.confirmedReads],
    tickets: [...server.tickets],
    out: {
      ...out,
      sendNow: [...out.sendNow],
      sendAfter: [...out.sendAfter],
      reads: [...out.reads],
      answers: [...out.answers],
      chunks: [...out.chunks],
    },
  };
}

/** Text of a value in which the order of insertion into maps and objects does not show. */
export function canonical(value: unknown): string {
  if (value instanceof Map) {
    const rows = [...value].map(([key, one]) => `${canonical(key)}>${canonical(one)}`);
    return `{${rows.sort().join()}}`;
  }
  if (value instanceof Set) return `(${[...value].map(canonical).sort().join()})`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== "object") return typeof value === "function" ? "" : String(value);
  const rows = Object.entries(value).map(([key, one]) => `${key}:${canonical(one)}`);
  return `{${rows.sort().join()}}`;
}

function entriesText(entries: readonly Entry<string>[]): string {
  return entries.map((entry) => `${entry.term}${entry.kind === "data" ? entry.data : ""}`).join(".");
}

/**
 * What tells one node from another. Left out: what is the same everywhere (settings, configuration), what has just been
 * taken (the outbox), clocks of contact that no explored event reads, and names of writes.
 */
function digestOf(node: Node): string {
  const { server: s, disk } = node;
  const peers = [...s.peers.values()].map((p) =>
    [
      p.mode,
      p.match,
      p.next,
      p.sentCommit,
      p.paused,
      p.wantEmpty,
      p.inflight.map((one) => one.last).join("."),
      p.state,
      p.nonceBoot,
      p.nonceMs,
    ].join(),
  );
  const votes = [...s.votes].sort((a, b) => a[0] - b[0]).join("/");
  const boots = [...s.boots].sort((a, b) => a[0] - b[0]).join("/");
  const writes = node.writes.map((write) => {
    const { ticket, hard, entries, sendAfter } = write;
    return [
      ticket?.askedInTerm,
      ticket?.last.index,
      ticket?.last.term,
      hard?.term,
      hard?.vote,
      hard?.commit,
      entries[0]?.index,
      entriesText(entries),
      canonical(sendAfter),
    ].join();
  });
  const core = [
    s.term,
    s.vote,
    s.role,
    s.leader,
    s.commit,
    s.handedOut,
    s.log.stored,
    s.log.writeFrom,
    s.verified,
    s.recovering,
    s.recoverTo,
    s.hardDirty,
  ];
  const stored = [disk.hard.term, disk.hard.vote, disk.hard.commit, entriesText(disk.entries), disk.damaged];
  return [core, entriesText(s.log.entries), votes, boots, peers.join(";"), stored, writes.join(";"), node.boot, node.nowMs].join("|");
}

export function hashState(state: State): string {
  const nodes = state.nodes.map((node) => {
    node.digest ??= digestOf(node);
    return node.digest;
  });
  const letters = state.letters.map((letter) => letter.key).sort();
  const leaders = [...state.leaders].sort((a, b) => a[0] - b[0]).join("/");
  const text = [...nodes, ...letters, Object.values(state.budget).join(), state.committed.join(), leaders].join("#");
  return createHash("sha1").update(text).digest("base64");
}

function post(setup: Setup, state: State, from: number, to: number, message: Message<string>): void {
  const target = state.nodes[to - 1];
  if (target === undefined || setup.deaf?.includes(to)) return;
  state.letters.push({ from, to, message, key: `${from}>${to}:${canonical(message)}` });
}

/** Feeds one input and does the host's duties; lazy writers keep their writes for a step of their own. */
export function feed(setup: Setup, state: State, id: number, input: Input<string>): void {
  const node = own(state, id);
  stepServer(node.server, input);
  serve(setup, state, node, id);
}

function serve(setup: Setup, state: State, node: Node, id: number): void {
  for (let turn = 0; turn < 20; turn += 1) {
    const ready = takeReady(node.server);
    for (const one of ready.sendNow) promise(setup, state, node, id, one.to, one.message);
    if (ready.recovered) node.disk = { ...node.disk, damaged: false };
    for (const entry of ready.commit) commitEntry(state, node, entry);
    const last = ready.commit.at(-1);
    if (last !== undefined) stepServer(node.server, { kind: "applied", index: last.index });
    if (ready.ticket === null) for (const one of ready.sendAfter) promise(setup, state, node, id, one.to, one.message);
    else node.writes.push(ready);
    if (!setup.lazyWriters.includes(id)) finishWrites(setup, state, node, id);
    checkNode(setup, state, node, id);
    if (ready.ticket === null && ready.sendNow.length === 0 && ready.commit.length === 0) return;
  }
  throw new Violation("a server never comes to rest");
}

function finishWrites(setup: Setup, state: State, node: Node, id: number): void {
  while (node.writes.length > 0) finishOne(setup, state, node, id);
}

function finishOne(setup: Setup, state: State, node: Node, id: number): void {
  const write = node.writes.shift();
  if (write?.ticket == null) return;
  writeDisk(node, write);
  for (const one of write.sendAfter) promise(setup, state, node, id, one.to, one.message);
  stepServer(node.server, { kind: "stored", nowMs: node.nowMs, ticket: write.ticket });
}

function writeDisk(node: Node, write: Ready<string>): void {
  const { disk } = node;
  const from = write.entries[0]?.index;
  const entries = from === undefined ? disk.entries : [...disk.entries.filter((entry) => entry.index < from), ...write.entries];
  demand(write.hard === null || write.hard.term >= disk.hard.term, "S6: a stored term goes back");
  node.disk = { ...disk, hard: write.hard ?? disk.hard, entries };
}

/** The oldest unfinished write of a lazy writer comes to its end. */
export function persist(setup: Setup, state: State, id: number): void {
  const node = own(state, id);
  finishOne(setup, state, node, id);
  serve(setup, state, node, id);
}

/** Stops a node between any two events and starts it again from its disk; unfinished writes are lost. */
export function crash(setup: Setup, state: State, id: number, keepEntries: number | null): void {
  const node = state.nodes[id - 1];
  if (node === undefined) return;
  const disk: Disk = keepEntries === null ? node.disk : { ...node.disk, entries: node.disk.entries.slice(0, keepEntries), damaged: true };
  const fresh = startNode(setup, id, disk, node.boot + 1);
  state.nodes[id - 1] = { ...fresh, nowMs: 0 };
}

function holdsOnDisk(disk: Disk, index: LogIndex, inTerm: number): boolean {
  return disk.entries[index - 1]?.term === inTerm;
}

function promise(setup: Setup, state: State, node: Node, from: number, to: MemberId, message: Message<string>): void {
  if (message.kind === "appendReply" && message.ok && message.match > 0 && !setup.faults.has("ack-before-sync")) {
    demand(node.disk.entries.length >= message.match, `S8: ${from} acknowledges ${message.match} before it is durable`);
  }
  post(setup, state, from, to, message);
}

function commitEntry(state: State, node: Node, entry: Entry<string>): void {
  const known = state.committed[entry.index - 1];
  demand(known === undefined || known === entry.term, `S5: entry ${entry.index} is applied with terms ${known} and ${entry.term}`);
  state.committed[entry.index - 1] = entry.term;
  state.committedIn[entry.index - 1] ??= node.server.term;
}

function checkNode(setup: Setup, state: State, node: Node, id: number): void {
  const { server } = node;
  // What counts as durable is durable: the ABA race breaks this first.
  for (let index = 1; index <= server.log.stored; index += 1) {
    const held = server.log.entries[index - 1]?.term;
    demand(held === undefined || holdsOnDisk(node.disk, logIndex(index), held), `${id} counts entry ${index} as durable, its disk differs`);
  }
  if (server.role !== "leader") return;
  checkElection(setup, state, server, id);
  checkCommit(setup, state, node);
}

/** Votes are counted here by the start's configuration; where it changes, S1, S4 and S5 must do. */
function countable(setup: Setup): boolean {
  return setup.budget.changes === 0;
}

function checkElection(setup: Setup, state: State, server: Server<string>, id: number): void {
  const known = state.leaders.get(server.term);
  demand(known === undefined || known === id, `S1: ${known} and ${id} lead in term ${server.term}`);
  if (known !== undefined) return;
  state.leaders.set(server.term, id);
  const total = setup.votes.reduce((sum, one) => sum + one, 0);
  let granted = 0;
  for (const [voter, yes] of server.votes) if (yes) granted += setup.votes[voter - 1] ?? 0;
  demand(granted * 2 > total || !countable(setup), `S9: ${id} leads with ${granted} of ${total} votes`);
  for (const [at, inTerm] of state.committed.entries()) {
    if ((state.committedIn[at] ?? 0) >= server.term) continue;
    demand(server.log.entries[at]?.term === inTerm, `S4: leader ${id} of term ${server.term} lacks committed entry ${at + 1}`);
  }
}

/**
 * S9 and S11 for commits: when one advances, healthy voters with more than half of the votes hold the entry. A member that
 * was damaged after its ack had left still counts, as long as the leader has heard nothing of its present boot.
 */
function checkCommit(setup: Setup, state: State, leader: Node): void {
  const { server } = leader;
  if (server.commit <= leader.checkedCommit || !countable(setup)) return;
  leader.checkedCommit = server.commit;
  const inTerm = server.log.entries[server.commit - 1]?.term ?? 0;
  const total = setup.votes.reduce((sum, one) => sum + one, 0);
  let held = 0;
  for (const [at, node] of state.nodes.entries()) {
    const unheard = (server.boots.get(memberId(at + 1)) ?? 0) < node.boot;
    const behind = node.disk.damaged ? unheard : holdsOnDisk(node.disk, server.commit, inTerm);
    if (behind) held += setup.votes[at] ?? 0;
  }
  demand(held * 2 > total, `S9: entry ${server.commit} is committed on ${held} of ${total} votes`);
}
