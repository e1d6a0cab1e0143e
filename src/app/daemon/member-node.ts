import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type MemberId, QuorateError, seededRandom } from "../../core/base/index.ts";
import { type CibState, emptyState, findMember, type Proposal } from "../../core/cib/index.ts";
import { isQuorate, type NodeEvent, type WatchEvent } from "../../core/controller/index.ts";
import type { Log } from "../../core/ports/index.ts";
import { type Configuration, createRaft, type Message } from "../../core/raft/index.ts";
import { isAlive, signal } from "../../io/agents/index.ts";
import { type ApiServer, fault, REQUEST_BYTES_MAX } from "../../io/api/index.ts";
import { type GuardianLink, linkGuardian, monotonicMs } from "../../io/executor/index.ts";
import { type NodeIdentity, needsRenewal, saveIdentity } from "../../io/pki/index.ts";
import { openStoreDirectory, type RaftStore } from "../../io/storage/index.ts";
import { createTransport, type LinkEvent, type Mount, type Peer, Repeats, type Transport } from "../../io/transport/index.ts";
import { createFrameCodec } from "../../io/wire/index.ts";
import { systemClock } from "./clock.ts";
import { proposalCodec, proposalEntries, snapshotCodec } from "./codecs.ts";
import { askLeader, isForLeader } from "./leader-forward.ts";
import { type Peers, renewIdentity, serveJoin } from "./membership.ts";
import { PolicyHost } from "./policy-host.ts";
import type { DaemonSettings } from "./settings.ts";
import { createNodeShell, type NodeShell } from "./shell.ts";
import { WatchHub } from "./watch-hub.ts";

/** How often the certificate's age is looked at, milliseconds. */
const RENEWAL_CHECK_MS = 3_600_000;

/** The policy engine of a restarted daemon starts this much later, milliseconds: less than the shortest election takes. */
const POLICY_DELAY_MS = 250;

export type MemberOptions = {
  readonly settings: DaemonSettings;
  readonly identity: NodeIdentity;
  readonly version: string;
  /** Where a joining member finds the others before it knows the configuration. */
  readonly peers: Peers;
  readonly firstStart: boolean;
  readonly api: () => ApiServer | null;
  readonly log: Log;
  readonly onStop: (reason: string, left: boolean) => void;
  readonly onFatal: (error: unknown) => void;
};

type Asked = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The open requests of the connection that asked. */
  readonly caller: Set<number> | null;
};

/** A running member: store, links, guardian, policy worker and the node itself, wired together. */
export class MemberNode {
  readonly hub: WatchHub;
  readonly #options: MemberOptions;
  readonly #shell: NodeShell;
  readonly #store: RaftStore<Proposal>;
  readonly #answers = new Map<number, Asked>();
  readonly #callers = new WeakMap<AbortSignal, Set<number>>();
  #transport: Transport<Message<Proposal>> | null = null;
  #guardian: GuardianLink | null = null;
  #policy: PolicyHost | null = null;
  #identity: NodeIdentity;
  #configuration: Configuration | null = null;
  /** Members that it no longer names while that is not committed. */
  #leaving: Configuration["members"] = new Map();
  /** Members that refuse our links because the cluster's configuration does not name us. */
  readonly #refusedBy = new Set<MemberId>();
  readonly #repeats = new Repeats();
  #nextRequest = 1;
  #renewal: NodeJS.Timeout | null = null;
  #policyTimer: NodeJS.Timeout | null = null;

  private constructor(options: MemberOptions, shell: (node: MemberNode) => NodeShell, store: RaftStore<Proposal>, begin: number) {
    this.#options = options;
    this.hub = new WatchHub(begin);
    this.#identity = options.identity;
    this.#store = store;
    this.#shell = shell(this);
  }

  static async open(options: MemberOptions): Promise<MemberNode> {
    const { settings, identity, log } = options;
    const expected = { cluster: identity.cluster, member: identity.member, nodeName: settings.node };
    const directory = join(settings.directory, "store");
    const opened = await openStoreDirectory<Proposal>({
      directory,
      commands: proposalCodec,
      expected,
      fileSystem: settings.fileSystem,
      now: monotonicMs,
      log,
    });
    if (opened.kind !== "opened") {
      const reasons = opened.kind === "amnesia" ? opened.reasons.join("; ") : "the store is empty";
      throw new QuorateError(
        `this member's memory is lost (${reasons}): \`cluster join ADDRESS --token TOKEN\` makes this node a new member`,
        {
          code: "MEMBER_AMNESIA",
        },
      );
    }
    const { loaded, store } = opened;
    const bytes = loaded.restored.snapshot === null ? null : await store.loadSnapshot();
    const state = bytes === null ? emptyState() : snapshotCodec.decode(bytes);
    if (loaded.restored.snapshot !== null && state.index !== loaded.restored.snapshot.last.index) {
      throw new QuorateError("the snapshot's state does not fit its position", { code: "STORE_DAMAGED" });
    }
    log.info({ boot: loaded.boot, finding: loaded.finding.kind, commit: loaded.restored.hard.commit }, "the store is open");
    const make = (node: MemberNode): NodeShell =>
      createNodeShell(
        {
          node: settings.node,
          memberId: identity.member,
          boot: loaded.boot,
          version: options.version,
          startMs: Math.floor(monotonicMs()),
          random: seededRandom(randomBytes(4).readUInt32LE()),
          restored: loaded.restored,
          state,
          ...proposalEntries,
          createRaft,
          timing: settings.timing,
          snapshotLogBytes: settings.snapshotLogBytes,
          logsDebug: settings.logLevel === "debug",
          ...(options.firstStart ? { restartWait: false } : {}),
        },
        node.#adapters(store),
      );
    const node = new MemberNode(options, make, store, state.index);
    await node.#start(loaded.boot);
    return node;
  }

  /** One request of a person or program; rejects with an `ApiFault`. */
  request(method: string, params: unknown, signal?: AbortSignal): Promise<unknown> {
    return this.#ask((id) => ({ kind: "request", id, method, params }), signal);
  }

  /**
   * The same for a caller on this host: what only the leader can answer is asked of the leader. Requests that came from
   * another node are never passed on, so that two nodes that each take the other for the leader do not play ball.
   */
  requestAtLeader(method: string, params: unknown, signal?: AbortSignal): Promise<unknown> {
    return isForLeader(method) ? this.#passOn(method, params, signal) : this.request(method, params, signal);
  }

  async #passOn(method: string, params: unknown, signal?: AbortSignal): Promise<unknown> {
    const { leader, role } = this.#shell.core.raftStatus;
    const configuration = this.#configuration;
    if (role === "leader" || leader === null || configuration === null) return this.request(method, params, signal);
    try {
      return await askLeader({ leader, configuration, identity: this.#identity }, method, params);
    } catch (error) {
      if (method !== "cluster.status") throw error;
      // The leader just went away: what this node knows itself is better than nothing.
      return this.request(method, params, signal);
    }
  }

  get identity(): NodeIdentity {
    return this.#identity;
  }

  get index(): number {
    return this.#shell.core.state.index;
  }

  /** The replicated state as far as this member has applied it. */
  get state(): CibState {
    return this.#shell.core.state;
  }

  /** Does this member hear a leader with a quorum behind it, or is it that leader? */
  get quorate(): boolean {
    return isQuorate(this.#shell.core);
  }

  /** Has it caught up so far that it knows itself as a member, with its vote unless the operators want it to have none? */
  hasJoined(): boolean {
    const { member } = this.#identity;
    if (!this.hasCluster()) return false;
    if ((this.#configuration?.voters.get(member) ?? 0) > 0) return true;
    return findMember(this.state, member)?.votesWanted === 0 && this.#configuration?.members.has(member) === true;
  }

  /** The others say that this member was removed, and it knows no leader: it may join again, as a new member. */
  get isOutside(): boolean {
    const { leader, removed, role } = this.#shell.core.raftStatus;
    return role !== "leader" && leader === null && (removed || this.#refusedBy.size > 0);
  }

  hasCluster(): boolean {
    return this.#shell.core.state.cluster !== null;
  }

  leads(): boolean {
    const status = this.#shell.core.raftStatus;
    return status.role === "leader" && status.ready;
  }

  shutdown(mode: "detach" | "shutdown"): void {
    this.#shell.deliver({ kind: "shutdown", mode });
  }

  async close(): Promise<void> {
    this.#shell.close();
    if (this.#renewal !== null) clearInterval(this.#renewal);
    if (this.#policyTimer !== null) clearTimeout(this.#policyTimer);
    this.#guardian?.close();
    for (const waiting of this.#answers.values()) waiting.reject(fault("DAEMON_STOPPING", "the daemon is ending", { retryable: true }));
    this.#answers.clear();
    this.hub.close();
    await this.#policy?.close();
    await this.#transport?.close();
    await this.#store.close();
  }

  async #start(boot: number): Promise<void> {
    const { settings, log } = this.#options;
    this.#transport = await createTransport<Message<Proposal>>({
      cluster: this.#identity.cluster,
      self: this.#identity.member,
      boot,
      tls: this.#identity,
      listen: settings.listen,
      codec: createFrameCodec<Proposal>({ cluster: this.#identity.cluster, self: this.#identity.member, commands: proposalCodec }),
      onMessage: (from, message) => this.#shell.deliver({ kind: "message", from, message }),
      onLink: (event) => this.#onLink(event),
      onFatal: (error) => this.#options.onFatal(error),
      admit: (member) => this.#admits(member),
      mounts: this.#mounts(),
      log,
      now: monotonicMs,
      seed: randomBytes(4).readUInt32LE(),
    });
    if (this.#configuration === null) this.#transport.setPeers(this.#options.peers);
    else this.#setPeers(this.#configuration);
    this.#guardian = linkGuardian({
      socketPath: settings.guardianSocket,
      node: settings.node,
      daemonBoot: boot,
      memberId: this.#identity.member,
      cluster: this.#identity.cluster,
      onEvent: (event) => {
        if (event.kind === "connected") {
          const { kind: _, protocol: __, ...facts } = event.welcome;
          this.#shell.deliver({ kind: "guardian", message: { kind: "connected", ...facts } });
        } else if (event.kind === "hung") {
          // Whatever starts it again takes up its journal; nothing would, while it is neither alive nor dead.
          const { pid, startTicks } = event.process;
          const killed = isAlive(pid, startTicks) && signal(pid, "SIGKILL");
          log.error({ pid, silentMs: event.silentMs, killed }, "the guardian is hung: it is killed, to be started again");
        } else if (event.kind === "disconnected") {
          log.warn({ reason: event.reason }, "the guardian's link is down");
          this.#shell.deliver({ kind: "guardian", message: { kind: "disconnected" } });
        } else this.#shell.deliver({ kind: "guardian", message: event });
      },
    });
    this.#policy = new PolicyHost(
      {
        onStarted: () => this.#shell.deliver({ kind: "plannerStarted" }),
        onAnswer: (message) => this.#shell.deliver({ kind: "planner", message }),
        onLost: (reason) => this.#shell.deliver({ kind: "plannerLost", reason }),
      },
      log,
    );
    this.#startPolicy();
    this.#renewal = setInterval(() => this.#renew(), RENEWAL_CHECK_MS);
    this.#shell.start();
    this.#renew();
  }

  /** A restarted daemon first proves its contact to the leader and its guardian; the engine's thread would compete with that. */
  #startPolicy(): void {
    if (this.#options.firstStart) this.#policy?.start();
    else this.#policyTimer = setTimeout(() => this.#policy?.start(), POLICY_DELAY_MS);
  }

  #adapters(store: RaftStore<Proposal>): Parameters<typeof createNodeShell>[1] {
    const { log, onStop, onFatal } = this.#options;
    return {
      clock: systemClock,
      store,
      links: {
        send: (to, message) => this.#transport?.send(to, message),
        setPeers: (configuration, leaving) => {
          this.#configuration = configuration;
          this.#leaving = leaving;
          if (this.#transport !== null) this.#setPeers(configuration);
        },
      },
      guardian: {
        run: (request) => this.#guardian?.run(request) ?? false,
        cancel: (key) => this.#guardian?.cancel(key),
        ack: (key) => this.#guardian?.ack(key),
        plan: (plan) => this.#guardian?.plan(plan),
        deadline: (term, atMs) => this.#guardian?.deadline(term, atMs),
        release: () => this.#guardian?.release(),
        selfFence: (reason) => this.#guardian?.selfFence(reason),
      },
      planner: { post: (message) => this.#policy?.post(message) },
      snapshots: snapshotCodec,
      log,
      onAnswer: (id, answer) => {
        const waiting = this.#answers.get(id);
        this.#answers.delete(id);
        if (waiting === undefined) return;
        waiting.caller?.delete(id);
        if ("result" in answer) waiting.resolve(answer.result);
        else
          waiting.reject(fault(answer.error.code, answer.error.message, { facts: answer.error.detail, retryable: answer.error.retryable }));
      },
      onWatch: (event: WatchEvent, index) => this.hub.push(event, index),
      onStop,
      onFatal,
    };
  }

  #ask(make: (id: number) => NodeEvent, signal?: AbortSignal): Promise<unknown> {
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject, caller: signal === undefined ? null : this.#callerOf(signal).add(id) });
      this.#shell.deliver(make(id));
    });
  }

  /** The open requests of a connection. Its signal gets one listener for all of them. */
  #callerOf(signal: AbortSignal): Set<number> {
    let open = this.#callers.get(signal);
    if (open !== undefined) return open;
    open = new Set();
    this.#callers.set(signal, open);
    signal.addEventListener("abort", () => this.#gone(signal), { once: true });
    return open;
  }

  #gone(signal: AbortSignal): void {
    for (const id of this.#callers.get(signal) ?? []) {
      const waiting = this.#answers.get(id);
      this.#answers.delete(id);
      this.#shell.deliver({ kind: "requestGone", id });
      waiting?.reject(fault("TIMEOUT", "nobody waits for this answer any more"));
    }
    this.#callers.delete(signal);
  }

  #onLink(event: LinkEvent): void {
    const { log } = this.#options;
    switch (event.kind) {
      case "up":
        this.#refusedBy.delete(event.member);
        this.#shell.deliver({ kind: "link", peer: event.member, change: "up" });
        return;
      case "down":
        this.#shell.deliver({ kind: "link", peer: event.member, change: event.hostAnswers ? "gone" : "down" });
        return;
      case "gone":
        this.#shell.deliver({ kind: "link", peer: event.member, change: "gone" });
        return;
      case "moved":
        log.info({ member: event.member, address: event.address }, "a link moved to another ring");
        return;
      case "rejected": {
        const { member, code, reason } = event;
        if (code === "LINK_NOT_A_MEMBER") this.#refusedBy.add(member);
        const repeated = this.#repeats.say(`${member} ${code}`, monotonicMs());
        if (repeated !== null) log.warn({ member, code, reason, ...(repeated > 0 ? { repeated } : {}) }, "a member refuses our links");
        return;
      }
    }
  }

  /** Before the first configuration is known every holder of this cluster's certificate may speak to us. */
  #admits(member: MemberId): ReturnType<Parameters<typeof createTransport>[0]["admit"]> {
    if (this.#configuration === null || this.#configuration.members.size === 0) return { kind: "admitted" };
    if (this.#configuration.members.has(member) || this.#leaving.has(member)) return { kind: "admitted" };
    // A member that is behind does not know the newest members yet; the cluster's certificate still names them.
    if (!this.#configuration.members.has(this.#identity.member)) return { kind: "admitted" };
    return { kind: "refused", code: "LINK_NOT_A_MEMBER", reason: `member ${member} is not in the configuration` };
  }

  #setPeers(configuration: Configuration): void {
    if (configuration.members.size === 0) return;
    const peers: Peer[] = [...configuration.members, ...this.#leaving].map(([member, row]) => ({ member, addresses: row.addresses }));
    this.#transport?.setPeers(peers);
    this.#transport?.recheck();
  }

  #mounts(): readonly Mount[] {
    const join = serveJoin({
      identity: () => this.#identity,
      wallMs: () => Date.now(),
      log: this.#options.log,
      admit: async (admission) => {
        await this.#ask((id) => ({ kind: "admit", id, admission }));
        return [...(this.#configuration?.members ?? [])].map(([member, row]) => ({ member, addresses: row.addresses }));
      },
    });
    return [
      { path: "/join", certificate: "optional", onRequest: (request, response) => join(request, response) },
      {
        path: "/api",
        certificate: "required",
        maxPayloadBytes: REQUEST_BYTES_MAX,
        onWebSocket: (socket, peer) => {
          const name = peer === null ? "unknown" : peer.kind === "member" ? `member ${peer.member}` : peer.operator;
          const server = this.#options.api();
          if (server === null) socket.close();
          else server.acceptWebSocket(socket, { kind: "remote", name, address: "tls" });
        },
      },
    ];
  }

  #renew(): void {
    const { settings, log } = this.#options;
    if (!needsRenewal(this.#identity.certificatePem, Date.now())) return;
    renewIdentity(this.#identity, { node: settings.node, addresses: settings.advertise, nowMs: Date.now() })
      .then(async (renewed) => {
        if (renewed === null) return;
        await saveIdentity(join(settings.directory, "identity"), renewed);
        this.#identity = renewed;
        this.#transport?.setTls(renewed);
        log.info({}, "the certificate was renewed");
      })
      .catch((error: unknown) => log.error({ error: String(error) }, "the certificate could not be renewed"));
  }
}
