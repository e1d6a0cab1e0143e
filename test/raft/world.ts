import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type LogIndex, logIndex, type MemberId, memberId, type Random, seededRandom, term } from "../../src/core/base/index.ts";
import {
  type Configuration,
  createRaft,
  type Entry,
  type EntryId,
  emptyConfiguration,
  type HardState,
  type Input,
  type Message,
  mergeReady,
  type RaftCore,
  type RaftOptions,
  type Ready,
  type Restored,
  type SnapshotMeta,
  type Status,
  type WriteTicket,
} from "../../src/core/raft/index.ts";
import type { Operation } from "../support/linearizability.ts";

/** What is durable on one member: it survives a crash, everything else does not. */
type Disk = {
  hard: HardState;
  mark: EntryId;
  entries: Entry<string>[];
  snapshot: SnapshotMeta | null;
  /** State of the machine at the snapshot: the hash chain over everything applied. */
  snapshotChain: string;
  damaged: boolean;
};

type Write = { readonly ready: Ready<string>; readonly tickets: readonly WriteTicket[]; readonly doneAt: number };

type Host = {
  readonly id: MemberId;
  readonly disk: Disk;
  core: RaftCore<string> | null;
  boot: number;
  rate: number;
  skewMs: number;
  writing: Write | null;
  waiting: Ready<string>[];
  chain: string;
  applied: LogIndex;
  chunks: Uint8Array[];
  verified: Uint8Array | null;
  pausedUntil: number;
  slowDiskUntil: number;
};

type Flying = { readonly from: MemberId; readonly to: MemberId; readonly message: Message<string>; readonly at: number };

export type WorldOptions = {
  readonly seed: number;
  readonly members: number;
  readonly faults: boolean;
  readonly votes?: readonly number[];
  readonly witness?: number;
  readonly leaseReads?: boolean;
  readonly seededFaults?: RaftOptions<string>["seededFaults"];
};

const STEP_MS = 5;
const GENESIS: EntryId = { term: term(1), index: logIndex(1) };

export function chainOf(previous: string, entry: Entry<string>): string {
  const what = entry.kind === "data" ? entry.data : entry.kind;
  return createHash("sha256").update(`${previous}|${entry.index}|${entry.term}|${what}`).digest("hex").slice(0, 16);
}

/**
 * Several servers on a virtual network, disk and clock, all drawn from one seed, with the invariants of RAFT.md §10
 * checked as they run. A small cousin of `app/sim` that knows the consensus room alone.
 */
export class World {
  readonly options: WorldOptions;
  readonly random: Random;
  readonly hosts = new Map<MemberId, Host>();
  now = 0;
  #flying: Flying[] = [];
  #cut = new Set<string>();
  readonly #leaders = new Map<number, MemberId>();
  readonly #electedAt = new Map<number, number>();
  readonly #votes = new Map<string, MemberId>();
  /** Every committed entry, by whoever handed it out first. */
  readonly committed = new Map<number, { readonly term: number; readonly chain: string; readonly inTerm: number }>();
  #highest = 0;
  #context = 0;
  /** Text of the data entry at each committed index, and what clients saw: for the linearizability checks. */
  readonly #texts: (string | null)[] = [];
  readonly #applied = new Set<string>();
  readonly history: Operation[] = [];
  readonly #writes = new Map<string, { readonly client: number; readonly callAt: number }>();
  readonly #asked = new Map<number, { readonly client: number; readonly key: string; readonly callAt: number }>();
  messages = 0;
  readonly #reads = new Map<number, number>();
  readonly counts = {
    elections: 0,
    commits: 0,
    reads: 0,
    leaseReads: 0,
    snapshots: 0,
    installs: 0,
    changes: 0,
    crashes: 0,
    recoveries: 0,
    transfers: 0,
  };
  readonly trace: string[] = [];

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    for (let id = 1; id <= options.members; id += 1) this.addHost(memberId(id), this.#genesis());
  }

  #genesis(): Configuration {
    const votes = this.options.votes ?? Array.from({ length: this.options.members }, () => 1);
    const rows = votes.map((count, at) => [memberId(at + 1), count] as const);
    return {
      ...emptyConfiguration(),
      voters: new Map(rows.filter(([, count]) => count > 0)),
      learners: new Set(rows.filter(([, count]) => count === 0).map(([id]) => id)),
      witnesses: new Set(this.options.witness === undefined ? [] : [memberId(this.options.witness)]),
    };
  }

  /** Adds a member; without a configuration it is empty and waits to be told. */
  addHost(id: MemberId, configuration: Configuration | null): void {
    const entries: Entry<string>[] = configuration === null ? [] : [{ ...GENESIS, kind: "config", configuration }];
    const first = configuration === null ? 0 : 1;
    const host: Host = {
      id,
      disk: {
        hard: { term: term(first), vote: null, commit: logIndex(first) },
        mark: { term: term(0), index: logIndex(0) },
        entries,
        snapshot: null,
        snapshotChain: "",
        damaged: false,
      },
      core: null,
      boot: 0,
      rate: 1 + (this.random.fraction() - 0.5) * 0.002,
      skewMs: this.random.below(1_000_000),
      writing: null,
      waiting: [],
      chain: "",
      applied: logIndex(0),
      chunks: [],
      verified: null,
      pausedUntil: 0,
      slowDiskUntil: 0,
    };
    this.hosts.set(id, host);
    this.start(host);
  }

  clock(host: Host): number {
    return Math.floor(host.skewMs + this.now * host.rate);
  }

  start(host: Host): void {
    const { disk } = host;
    if (disk.snapshot !== null && (disk.entries.at(-1)?.index ?? disk.mark.index) < disk.snapshot.last.index) {
      disk.mark = disk.snapshot.last;
      disk.entries = [];
    }
    host.boot += 1;
    host.writing = null;
    host.waiting = [];
    host.chain = disk.snapshotChain;
    host.applied = disk.snapshot?.last.index ?? logIndex(0);
    host.chunks = [];
    const restored: Restored<string> = {
      hard: disk.hard,
      mark: disk.mark,
      snapshot: disk.snapshot,
      entries: [...disk.entries],
      recovering: disk.damaged,
    };
    host.core = createRaft<string>({
      id: host.id,
      boot: host.boot,
      startMs: this.clock(host),
      random: seededRandom(this.random.nextUint32()),
      restored,
      sizeOf: (data) => data.length,
      limits: { keepEntries: 3, chunkBytes: 16, inflightMessages: 4 },
      timing: { storeRecoveryMs: 1000 },
      leaseReads: this.options.leaseReads ?? false,
      ...(this.options.seededFaults === undefined ? {} : { seededFaults: this.options.seededFaults }),
    });
    this.note(`start ${host.id} boot ${host.boot}${disk.damaged ? " recovering" : ""}`);
  }

  note(text: string): void {
    this.trace.push(`${this.now} ${text}`);
    if (this.trace.length > 4000) this.trace.splice(0, 2000);
  }

  crash(host: Host): void {
    if (host.core === null) return;
    this.counts.crashes += 1;
    this.note(`crash ${host.id}`);
    // A write under way may have reached the disk without anybody having been told.
    if (host.writing !== null && this.random.below(2) === 0) this.#persist(host, host.writing.ready);
    host.core = null;
    host.writing = null;
    host.waiting = [];
  }

  /** True if the member holds less than half of the votes in every configuration that any member believes in. */
  isMinor(host: Host): boolean {
    return [...this.hosts.values()].every((one) => {
      const configuration = one.core?.status().configuration;
      if (configuration === undefined) return true;
      return [configuration.voters, configuration.outgoing].every((half) => {
        const total = [...half.values()].reduce((sum, votes) => sum + votes, 0);
        return half.size === 0 || (half.get(host.id) ?? 0) * 2 < total;
      });
    });
  }

  /** Loses the end of the stored log, as a corrupted block would; the store notices at the next start. */
  damage(host: Host): void {
    const { disk } = host;
    if (disk.entries.length === 0) return;
    const keep = this.random.below(disk.entries.length);
    disk.entries.length = keep;
    disk.damaged = true;
    this.note(`damage ${host.id}, keeps ${keep} entries`);
  }

  leaderHost(): Host | null {
    let best: Host | null = null;
    for (const host of this.hosts.values()) {
      if (host.core?.status().role !== "leader") continue;
      if (best === null || host.core.status().term > (best.core?.status().term ?? 0)) best = host;
    }
    return best;
  }

  step(host: Host, input: Input<string>): void {
    if (host.core === null || host.pausedUntil > this.now) return;
    host.core.step(input);
    this.#serve(host);
  }

  propose(host: Host, text: string): void {
    this.#context += 1;
    this.step(host, { kind: "propose", context: this.#context, commands: [text] });
  }

  /** Writes a value nobody else writes; its end is seen where it was proposed. */
  write(host: Host, key: string): void {
    const text = `${key}=${this.#context}`;
    this.#writes.set(text, { client: host.id, callAt: this.now });
    this.propose(host, text);
  }

  read(host: Host, key = "k0"): void {
    this.#context += 1;
    this.#asked.set(this.#context, { client: host.id, key, callAt: this.now });
    this.#reads.set(this.#context, this.#highest);
    this.step(host, { kind: "readIndex", context: this.#context, nowMs: this.clock(host) });
  }

  change(host: Host, changes: Extract<Extract<Input<string>, { kind: "proposeChange" }>["request"], { kind: "change" }>["changes"]): void {
    this.#context += 1;
    this.step(host, { kind: "proposeChange", context: this.#context, request: { kind: "change", mode: "joint", changes } });
  }

  transfer(host: Host, to: MemberId | null): void {
    this.#context += 1;
    this.step(host, { kind: "transfer", context: this.#context, to });
  }

  /** The host's duties after each input, in the order that `Ready` asks for. */
  #serve(host: Host): void {
    for (let turn = 0; turn < 100 && host.core !== null; turn += 1) {
      const ready = host.core.ready();
      for (const one of ready.sendNow) this.#post(host, one.to, one.message);
      for (const chunk of ready.chunks) this.#keepChunk(host, chunk.offset, chunk.data);
      if (ready.verify !== null) this.#verify(host, ready.verify);
      this.#apply(host, ready);
      this.#answer(ready);
      if (ready.compactTo !== null) this.#compact(host, ready.compactTo);
      if (ready.ticket === null) for (const one of ready.sendAfter) this.#post(host, one.to, one.message);
      else host.waiting.push(ready);
      this.#beginWrite(host);
      this.#observe(host);
      if (!host.core.hasReady() || isQuiet(ready)) return;
    }
  }

  #keepChunk(host: Host, offset: number, data: Uint8Array): void {
    if (offset === 0) host.chunks = [];
    // A rare bad disk: the hash will not fit and the stream starts anew.
    const bad = this.options.faults && this.random.below(50) === 0;
    host.chunks.push(bad ? data.map((byte) => byte ^ 1) : data);
  }

  #verify(host: Host, meta: SnapshotMeta): void {
    const bytes = Buffer.concat(host.chunks);
    const ok = createHash("sha256").update(bytes).digest("hex") === meta.hash;
    host.verified = ok ? bytes : null;
    host.core?.step({ kind: "snapshotVerified", last: meta.last, ok });
  }

  #answer(ready: Ready<string>): void {
    for (const read of ready.reads) {
      const since = this.#reads.get(read.context);
      this.#reads.delete(read.context);
      if (read.kind !== "ready" || since === undefined) continue;
      this.counts.reads += 1;
      if (read.lease) this.counts.leaseReads += 1;
      this.#noteRead(read.context, read.index);
      assert.ok(
        read.index >= since,
        `stale read: index ${read.index}, but ${since} was committed before it was asked (lease ${read.lease})`,
      );
    }
    for (const answer of ready.answers) {
      if (answer.kind === "change" && answer.outcome.kind === "done") this.counts.changes += 1;
      if (answer.kind === "transfer" && answer.outcome.kind === "done") this.counts.transfers += 1;
    }
  }

  #noteRead(context: number, index: number): void {
    const asked = this.#asked.get(context);
    if (asked === undefined) return;
    const { client, key, callAt } = asked;
    let result: string | null = null;
    for (let at = index; at > 0 && result === null; at -= 1) {
      const text = this.#texts[at];
      if (text?.startsWith(`${key}=`)) result = text;
    }
    this.history.push({ op: "read", client, key, callAt, returnAt: this.now, index, result });
  }

  /** A forwarded proposal that the network doubled counts once, as the sessions of the state machine see to. */
  #once(entry: Entry<string>): string | null {
    if (entry.kind !== "data" || this.#applied.has(entry.data)) return null;
    this.#applied.add(entry.data);
    return entry.data;
  }

  #noteWrite(host: Host, index: number, text: string): void {
    const write = this.#writes.get(text);
    if (write === undefined || write.client !== host.id) return;
    this.#writes.delete(text);
    this.history.push({ op: "write", key: text.split("=")[0] ?? "", value: text, returnAt: this.now, index, ...write });
  }

  /** The history with the writes whose end nobody saw: they may have happened at any time, or never. */
  wholeHistory(): readonly Operation[] {
    // What never got into the log did not happen.
    const open = [...this.#writes].flatMap(([text, write]): Operation[] => {
      const index = this.#texts.indexOf(text);
      return index < 0 ? [] : [{ op: "write", key: text.split("=")[0] ?? "", value: text, index, ...write }];
    });
    return [...this.history, ...open];
  }

  /** S3 at the end of a run: the same index and term mean the same entries before. */
  checkLogMatching(): void {
    const logs = [...this.hosts.values()].map((host) => new Map(host.disk.entries.map((entry) => [entry.index, entry.term] as const)));
    for (const [n, one] of logs.entries()) {
      for (const other of logs.slice(n + 1)) {
        let agreed = false;
        for (const index of [...one.keys()].sort((a, b) => b - a)) {
          if (!other.has(index)) continue;
          const same = one.get(index) === other.get(index);
          assert.ok(same || !agreed, `S3: two logs agree above ${index} and differ there`);
          agreed = agreed || same;
        }
      }
    }
  }

  #apply(host: Host, ready: Ready<string>): void {
    for (const entry of ready.commit) {
      assert.equal(entry.index, host.applied + 1, `member ${host.id} skips entries`);
      host.chain = chainOf(host.chain, entry);
      host.applied = entry.index;
      const known = this.committed.get(entry.index);
      if (known === undefined) {
        this.committed.set(entry.index, { term: entry.term, chain: host.chain, inTerm: host.core?.status().term ?? 0 });
        this.counts.commits += 1;
        this.#texts[entry.index] = this.#once(entry);
      } else assert.equal(host.chain, known.chain, `S5: member ${host.id} applies something else at ${entry.index}`);
      this.#highest = Math.max(this.#highest, entry.index);
      if (entry.kind === "data" && this.#texts[entry.index] === entry.data) this.#noteWrite(host, entry.index, entry.data);
    }
    const last = ready.commit.at(-1);
    if (last !== undefined) host.core?.step({ kind: "applied", index: last.index });
    this.#maybeSnapshot(host);
  }

  #maybeSnapshot(host: Host): void {
    const { core, disk } = host;
    if (core === null || host.applied - (disk.snapshot?.last.index ?? 0) < 25) return;
    const last = core.entryId(host.applied);
    // Only what is durable may be the base of a snapshot here, so that log and snapshot stay one piece.
    if (last === null || (disk.entries.at(-1)?.index ?? 0) < host.applied) return;
    const bytes = Buffer.from(`${host.chain}:${"x".repeat(20)}`);
    const hash = createHash("sha256").update(bytes).digest("hex");
    const snapshot: SnapshotMeta = { last, configuration: core.configurationAt(host.applied), sizeBytes: bytes.length, hash };
    disk.snapshot = snapshot;
    disk.snapshotChain = host.chain;
    this.counts.snapshots += 1;
    core.step({ kind: "snapshotTaken", snapshot });
  }

  #compact(host: Host, to: EntryId): void {
    host.disk.mark = to;
    host.disk.entries = host.disk.entries.filter((entry) => entry.index > to.index);
  }

  #beginWrite(host: Host): void {
    if (host.writing !== null || host.waiting.length === 0) return;
    let merged = host.waiting.shift() as Ready<string>;
    const tickets = [merged.ticket as WriteTicket];
    while (host.waiting.length > 0) {
      const next = host.waiting[0] as Ready<string>;
      const joined = mergeReady(merged, next);
      if (joined === null) break;
      host.waiting.shift();
      merged = joined;
      tickets.push(next.ticket as WriteTicket);
    }
    const slow = this.now < host.slowDiskUntil ? 1500 : 0;
    host.writing = { ready: merged, tickets, doneAt: this.now + slow + 1 + this.random.below(10) };
  }

  #finishWrite(host: Host, write: Write): void {
    host.writing = null;
    this.#persist(host, write.ready);
    for (const one of write.ready.sendAfter) this.#post(host, one.to, one.message);
    const ticket = write.ready.ticket;
    if (host.core === null || ticket === null) return;
    const installed = write.ready.snapshot?.meta;
    if (installed !== undefined) {
      host.chain = host.disk.snapshotChain;
      host.applied = installed.last.index;
    }
    host.core.step({ kind: "stored", nowMs: this.clock(host), ticket });
    if (installed !== undefined) host.core.step({ kind: "applied", index: installed.last.index });
    this.#beginWrite(host);
    this.#serve(host);
  }

  #persist(host: Host, ready: Ready<string>): void {
    const { disk } = host;
    if (ready.hard !== null) {
      assert.ok(ready.hard.term >= disk.hard.term, "S6: a term goes back on disk");
      disk.hard = ready.hard;
    }
    if (ready.snapshot !== null) {
      const { meta } = ready.snapshot;
      this.counts.installs += 1;
      disk.snapshot = meta;
      disk.mark = meta.last;
      disk.entries = [];
      disk.snapshotChain =
        Buffer.from(host.verified ?? new Uint8Array())
          .toString()
          .split(":")[0] ?? "";
    }
    const from = ready.entries[0]?.index;
    if (from !== undefined)
      disk.entries = [...disk.entries.filter((entry) => entry.index < from), ...ready.entries.filter((e) => e.index > disk.mark.index)];
    if (ready.recovered) {
      disk.damaged = false;
      this.counts.recoveries += 1;
    }
  }

  #post(host: Host, to: MemberId, message: Message<string>): void {
    this.messages += 1;
    this.#checkPromise(host, message);
    if (this.#cut.has(`${host.id}>${to}`)) return;
    const faulty = this.options.faults && this.random.below(100);
    if (faulty !== false && faulty < 3) return;
    const copies = faulty !== false && faulty > 97 ? 2 : 1;
    for (let n = 0; n < copies; n += 1) {
      const late = this.options.faults && this.random.below(30) === 0 ? this.random.below(400) : 0;
      this.#flying.push({ from: host.id, to, message: this.#fill(host, message), at: this.now + 1 + this.random.below(8) + late });
    }
  }

  #fill(host: Host, message: Message<string>): Message<string> {
    if (message.kind !== "snapChunk") return message;
    const bytes = Buffer.from(`${host.disk.snapshotChain}:${"x".repeat(20)}`);
    return { ...message, data: new Uint8Array(bytes.subarray(message.offset, message.offset + message.length)) };
  }

  /** S7 and S8: a vote or an ack that leaves is durable on the sender's disk, and no second vote is ever given. */
  #checkPromise(host: Host, message: Message<string>): void {
    const { disk } = host;
    if (message.kind === "appendReply" && message.ok && !this.options.seededFaults?.has("ack-before-sync")) {
      const last = disk.entries.at(-1)?.index ?? disk.mark.index;
      assert.ok(last >= message.match, `S8: member ${host.id} acknowledges ${message.match}, its disk ends at ${last}`);
    }
    const candidate = message.kind === "vote" ? host.id : null;
    if (candidate !== null) this.#noteVote(host.id, message.term, candidate);
  }

  #noteVote(voter: MemberId, inTerm: number, candidate: MemberId): void {
    const key = `${voter}@${inTerm}`;
    const known = this.#votes.get(key);
    assert.ok(known === undefined || known === candidate, `S7: member ${voter} votes twice in term ${inTerm}`);
    this.#votes.set(key, candidate);
  }

  #deliver(one: Flying): void {
    const host = this.hosts.get(one.to);
    if (host?.core == null || this.#cut.has(`${one.from}>${one.to}`)) return;
    if (one.message.kind === "voteReply" && one.message.granted) this.#noteVote(one.from, one.message.term, one.to);
    this.step(host, { kind: "message", nowMs: this.clock(host), from: one.from, message: one.message });
  }

  /** S1 and S4, looked at after everything that a member does. */
  #observe(host: Host): void {
    const status = host.core?.status();
    if (status === undefined) return;
    this.#checkAuthority(host, status);
    if (status.role !== "leader") return;
    const known = this.#leaders.get(status.term);
    assert.ok(known === undefined || known === host.id, `S1: ${known} and ${host.id} lead in term ${status.term}`);
    if (known !== undefined) return;
    this.#leaders.set(status.term, host.id);
    this.#electedAt.set(status.term, this.now);
    this.counts.elections += 1;
    this.note(`leader ${host.id} term ${status.term}`);
    this.#checkCompleteness(host, status);
  }

  /** S4: what was committed in an earlier term is in this leader's log. (A late winner of an old term may lack it.) */
  #checkCompleteness(host: Host, status: Status): void {
    for (const [index, committed] of this.committed) {
      if (committed.inTerm >= status.term || index < status.first) continue;
      const held = host.core?.entryId(logIndex(index))?.term;
      assert.equal(held, committed.term, `S4: leader ${host.id} of term ${status.term} lacks committed entry ${index}`);
    }
  }

  /**
   * No authority outlives an election (RAFT.md §7): what a member takes for its lease base lies, in true time, before
   * the election of any leader of a newer term. One slice of the world is the resolution of "when".
   */
  #checkAuthority(host: Host, status: Status): void {
    if (status.leaseBaseMs === null) return;
    const base = (status.leaseBaseMs - host.skewMs) / host.rate;
    for (const [inTerm, at] of this.#electedAt) {
      if (inTerm <= status.leaseTerm) continue;
      assert.ok(
        base <= at + 2,
        `lease of ${host.id} in term ${status.leaseTerm} reaches ${base - at} ms past the election of term ${inTerm}`,
      );
    }
    if (this.#electedAt.size > 20) this.#electedAt.delete([...this.#electedAt.keys()][0] ?? 0);
  }

  /** One slice of time: late writes finish, messages arrive, then each member that is awake gets one tick. */
  advance(): void {
    this.now += STEP_MS;
    for (const host of this.hosts.values()) {
      if (host.writing !== null && host.writing.doneAt <= this.now) this.#finishWrite(host, host.writing);
    }
    const awake = (id: MemberId): boolean => (this.hosts.get(id)?.pausedUntil ?? 0) <= this.now;
    const due = this.#flying.filter((one) => one.at <= this.now && awake(one.to));
    this.#flying = this.#flying.filter((one) => !(one.at <= this.now && awake(one.to)));
    for (const one of due) this.#deliver(one);
    for (const host of this.hosts.values()) {
      if (host.core === null || host.pausedUntil > this.now) continue;
      if (this.clock(host) >= host.core.nextWakeMs()) this.step(host, { kind: "tick", nowMs: this.clock(host) });
    }
  }

  run(forMs: number): void {
    for (const end = this.now + forMs; this.now < end; ) this.advance();
  }

  cut(from: MemberId, to: MemberId): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
    for (const host of this.hosts.values()) {
      host.pausedUntil = 0;
      host.slowDiskUntil = 0;
      if (host.core === null) this.start(host);
    }
  }

  /** A hash over everything that a run decides, to show that the same seed gives the same run. */
  fingerprint(): string {
    const hash = createHash("sha256");
    for (const host of this.hosts.values()) {
      const { configuration, peers, ...status } = host.core?.status() ?? { configuration: null, peers: new Map() };
      hash.update(JSON.stringify([host.id, host.chain, host.boot, status, [...peers], [...(configuration?.voters ?? [])]]));
    }
    return hash.update(this.trace.join("\n")).digest("hex");
  }
}

function isQuiet(ready: Ready<string>): boolean {
  return ready.ticket === null && ready.sendNow.length + ready.sendAfter.length + ready.commit.length + ready.reads.length === 0;
}
