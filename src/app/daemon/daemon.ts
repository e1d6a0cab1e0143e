import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { QuorateError } from "../../core/base/index.ts";
import type { Proposal } from "../../core/cib/index.ts";
import { isMemberAddress } from "../../core/controller/index.ts";
import { type Log, TOKEN_LIFE_MAX_S } from "../../core/ports/index.ts";
import { bootstrap } from "../../core/raft/index.ts";
import { type ApiCall, type ApiHandler, type ApiServer, createApiServer, fault, type WatchSink } from "../../io/api/index.ts";
import { monotonicMs } from "../../io/executor/index.ts";
import { loadIdentity, makeToken, type NodeIdentity, saveIdentity, TOKEN_LIFE_MS } from "../../io/pki/index.ts";
import { checkFileSystem, checkRoom, createStoreDirectory, openStoreDirectory } from "../../io/storage/index.ts";
import { makeBackup } from "./backup.ts";
import { proposalCodec } from "./codecs.ts";
import { forceStore } from "./force.ts";
import { MemberNode } from "./member-node.ts";
import { askToJoin, foundCluster, type Peers, proveAddresses } from "./membership.ts";
import type { DaemonSettings } from "./settings.ts";

/** A new cluster elects and names itself, or a new member becomes a voter, within this time; milliseconds. */
const FORMING_MS = 60_000;
const LOOK_MS = 20;
/** Exit code of a daemon whose node has left the cluster on purpose: the unit does not start it again. */
const EXIT_LEFT = 100;

/** Shown first in the status of a member that was removed and still runs. */
const OUTSIDE = "the cluster has removed this member: `cluster join ADDRESS --token TOKEN` makes this node a new one";

type Phase = "uninitialised" | "joining" | "member";

/** The daemon from its first start: uninitialised, then a member for good. */
export class Daemon implements ApiHandler {
  readonly #settings: DaemonSettings;
  readonly #log: Log;
  readonly #version: string;
  readonly #onEnd: (code: number) => void;
  #phase: Phase = "uninitialised";
  #member: MemberNode | null = null;
  #api: ApiServer | null = null;
  #ending = false;
  /** Why this node, which was or meant to be a member, is none: its store or its identity is lost. */
  #outside: string | null = null;

  constructor(options: {
    readonly settings: DaemonSettings;
    readonly log: Log;
    readonly version: string;
    readonly onEnd: (code: number) => void;
  }) {
    this.#settings = options.settings;
    this.#log = options.log;
    this.#version = options.version;
    this.#onEnd = options.onEnd;
  }

  async start(): Promise<void> {
    const identity = await loadIdentity(this.#identityDirectory);
    if (identity !== null) await this.#remember(identity);
    else if (existsSync(join(this.#settings.directory, "store"))) this.#warnOfLostIdentity();
    this.#api = await createApiServer({ socketPath: this.#settings.apiSocket, handler: this, log: this.#log });
    this.#log.info({ node: this.#settings.node, phase: this.#phase, socket: this.#settings.apiSocket }, "quorated is up");
    if (this.#member !== null && existsSync(this.#namePath)) void this.#nameCluster().catch((error: unknown) => this.#fatal(error));
  }

  /**
   * Goes on as the member of before. When its memory is lost that member id must never speak again (RAFT.md §6): the node
   * then belongs to no cluster, says so, and waits for `cluster join`, which makes it a new member.
   */
  async #remember(identity: NodeIdentity): Promise<void> {
    try {
      await this.#become(identity, { peers: [], firstStart: false });
    } catch (error) {
      if (!(error instanceof QuorateError) || (error.detail as { readonly code: string }).code !== "MEMBER_AMNESIA") throw error;
      this.#outside = error.message;
      this.#log.error({ code: "MEMBER_AMNESIA", member: identity.member }, error.message);
    }
  }

  /** A node that looks new but has a store was broken off while it joined, or has lost its key. */
  #warnOfLostIdentity(): void {
    this.#outside = `${this.#identityDirectory} holds no identity, but there is a store: a join was interrupted, or node.key was lost. \`cluster join ADDRESS --token TOKEN\` makes this node a new member`;
    this.#log.warn({ code: "PKI_MISSING", path: this.#identityDirectory }, this.#outside);
  }

  /** SIGTERM: resources stay with the guardian, nobody recovers them before the daemon may be back. */
  stop(mode: "detach" | "shutdown"): void {
    if (this.#member === null) {
      void this.#end(mode === "shutdown" ? EXIT_LEFT : 0);
      return;
    }
    this.#log.info({ mode }, "the daemon is asked to end");
    this.#member.shutdown(mode);
  }

  isWatch(method: string): boolean {
    return method === "watch";
  }

  async request(call: ApiCall): Promise<unknown> {
    if (call.method.startsWith("internal.")) throw fault("UNKNOWN_METHOD", `there is no method ${call.method}`);
    const params = (call.params ?? {}) as Readonly<Record<string, unknown>>;
    switch (call.method) {
      case "ping":
        return { version: this.#version, apiVersion: 1, node: this.#settings.node, phase: this.#phase };
      case "cluster.init":
        return this.#init(call, params);
      case "cluster.join":
        return this.#join(call, params);
      case "cluster.backup":
        return this.#backup(call);
      case "cluster.forceNew":
        return this.#forceNew(call, params);
      case "cluster.token":
        return this.#token(params);
      case "daemon.stop":
        setImmediate(() => this.stop(params["mode"] === "shutdown" ? "shutdown" : "detach"));
        return {};
      default:
        break;
    }
    if (this.#member !== null) return this.#askMember(this.#member, call, params);
    if (call.method === "status") return this.#emptyStatus();
    throw fault("NOT_INITIALISED", "this node belongs to no cluster; use `cluster init` or `cluster join`");
  }

  #askMember(member: MemberNode, call: ApiCall, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { method, caller, signal } = call;
    const ask = (): Promise<unknown> =>
      caller.kind === "local" ? member.requestAtLeader(method, params, signal) : member.request(method, params, signal);
    if (method === "cluster.address" && params["force"] !== true) return this.#proveAddresses(member, params).then(ask);
    return method === "status" && caller.kind === "local" ? ask().then((answer) => warnedOf(member, answer)) : ask();
  }

  /** What is not even addresses of a member is refused by the member itself. */
  async #proveAddresses(member: MemberNode, params: Readonly<Record<string, unknown>>): Promise<void> {
    const { node, addresses } = params;
    const id = typeof node === "string" ? member.state.nodes.get(node)?.memberId : undefined;
    if (id == null || !Array.isArray(addresses) || !addresses.every(isMemberAddress)) return;
    await proveAddresses({ node: String(node), member: id, addresses, identity: member.identity });
  }

  async watch(call: ApiCall, sink: WatchSink): Promise<{ readonly result: unknown; readonly stop: () => void }> {
    const member = this.#needMember();
    const from = (call.params as { from?: unknown } | null)?.from;
    if (from !== undefined && from !== null && typeof from !== "number") throw fault("BAD_REQUEST", "parameter from must be a number");
    const stop = member.hub.add(sink, typeof from === "number" ? from : null, member.index);
    return { result: { index: member.index }, stop };
  }

  get #identityDirectory(): string {
    return join(this.#settings.directory, "identity");
  }

  /** Holds the name of a cluster that was made but has not recorded its name yet. */
  get #namePath(): string {
    return join(this.#settings.directory, "identity", "new-cluster-name");
  }

  #emptyStatus(): unknown {
    const { node } = this.#settings;
    return {
      phase: this.#phase,
      cluster: null,
      self: { node, memberId: null },
      leader: null,
      quorate: false,
      stale: true,
      nodes: [],
      warnings: this.#outside === null ? [] : [this.#outside],
    };
  }

  #needMember(): MemberNode {
    if (this.#member === null) throw fault("NOT_INITIALISED", "this node belongs to no cluster; use `cluster init` or `cluster join`");
    return this.#member;
  }

  async #init(call: ApiCall, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#mustBeNew(call, params);
    const name = params["name"];
    if (typeof name !== "string" || !/^[A-Za-z0-9._-]{1,64}$/.test(name))
      throw fault("BAD_REQUEST", "parameter name must be a cluster name of letters, digits, `.`, `_` and `-`");
    this.#phase = "joining";
    try {
      await this.#mustHoldStore();
      const { node, advertise } = this.#settings;
      const identity = await foundCluster({ name, node, addresses: advertise, nowMs: Date.now() });
      await this.#createStore(identity);
      await this.#storeFirstMember(identity);
      // Before the identity, which makes this a member: the next start names the cluster if this one does not get that far.
      mkdirSync(this.#identityDirectory, { recursive: true, mode: 0o700 });
      writeFileSync(this.#namePath, name, { mode: 0o600, flush: true });
      await saveIdentity(this.#identityDirectory, identity);
      await this.#become(identity, { peers: [], firstStart: true });
      await this.#nameCluster();
      this.#log.info({ cluster: identity.cluster, name }, "a new cluster was made");
      return { clusterId: identity.cluster, memberId: identity.member, node };
    } catch (error) {
      if (this.#member === null) this.#phase = "uninitialised";
      throw error;
    }
  }

  /** The first configuration and its commit must be durable before the node starts (RAFT.md §6, bootstrap is explicit). */
  async #storeFirstMember(identity: NodeIdentity): Promise<void> {
    const settings = this.#settings;
    const expected = { cluster: identity.cluster, member: identity.member, nodeName: settings.node };
    const directory = join(settings.directory, "store");
    const opened = await openStoreDirectory<Proposal>({
      directory,
      commands: proposalCodec,
      expected,
      fileSystem: settings.fileSystem,
      now: monotonicMs,
      log: this.#log,
    });
    if (opened.kind !== "opened") throw fault("STORE_NEW", "the store that was just made cannot be opened");
    const member = { name: settings.node, addresses: settings.advertise, incarnation: null };
    const first = bootstrap<Proposal>({ id: identity.member, member });
    await opened.store.save({ hard: first.hard, entries: first.entries, snapshot: null, recovered: false });
    await opened.store.close();
  }

  async #nameCluster(): Promise<void> {
    const member = this.#needMember();
    const name = readFileSync(this.#namePath, "utf8");
    await until(FORMING_MS, () => member.leads() || member.hasCluster());
    if (!member.hasCluster()) await member.request("internal.create", { clusterId: member.identity.cluster, name });
    rmSync(this.#namePath, { force: true });
  }

  async #join(call: ApiCall, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    const outsider = this.#member?.isOutside === true ? this.#member : null;
    this.#mustBeNew(call, params, outsider !== null);
    const { address, token, witness } = params;
    if (witness !== undefined && witness !== null && typeof witness !== "boolean")
      throw fault("BAD_REQUEST", "parameter witness must be true or false");
    if (typeof address !== "string" || typeof token !== "string") throw fault("BAD_REQUEST", "parameters address and token are needed");
    this.#phase = "joining";
    try {
      await this.#mustHoldStore();
      const { node, advertise } = this.#settings;
      const role = { witness: witness === true, log: this.#log };
      const { identity, peers } = await askToJoin({ address, token, node, addresses: advertise, ...role });
      if (outsider !== null) {
        this.#log.warn({ member: outsider.identity.member }, "this node joins again as a new member; its old store is kept beside");
        this.#member = null;
        await outsider.close();
      }
      await this.#createStore(identity);
      await saveIdentity(this.#identityDirectory, identity);
      const member = await this.#become(identity, { peers, firstStart: true });
      await until(FORMING_MS, () => member.hasJoined());
      this.#log.info({ cluster: identity.cluster }, "this node has joined");
      return { clusterId: identity.cluster, memberId: identity.member, node };
    } catch (error) {
      this.#phase = this.#member === null ? "uninitialised" : "member";
      throw error;
    }
  }

  /** Everything that is replicated, as of now: confirmed with a quorum first, so that a backup is never an old one. */
  async #backup(call: ApiCall): Promise<unknown> {
    const member = this.#needMember();
    await member.request("cib.get", { section: "status" }, call.signal);
    return makeBackup(member.state, { version: this.#version, wallMs: Date.now() });
  }

  /**
   * This member alone becomes the cluster (RAFT.md §6): the answer to the loss of more than half of the votes for good.
   * Refused while there is a quorum, and without the cluster's name typed by whoever asks.
   */
  async #forceNew(call: ApiCall, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (call.caller.kind !== "local") throw fault("BAD_REQUEST", "this is asked of the node itself, over its local socket");
    const member = this.#needMember();
    const name = member.state.cluster?.name ?? member.identity.cluster;
    if (params["confirm"] !== name) throw fault("BAD_REQUEST", `parameter confirm must be the name of the cluster: ${name}`);
    if (member.quorate) throw fault("MEMBERSHIP_REFUSED", "there is a quorum; remove lost members with `cluster remove`");
    const { identity } = member;
    this.#log.warn({ cluster: name }, "force-new-cluster: this member becomes the cluster, alone");
    this.#member = null;
    this.#phase = "joining";
    try {
      await member.close();
      const lost = await forceStore({ settings: this.#settings, identity, log: this.#log });
      const alone = await this.#become(identity, { peers: [], firstStart: false });
      await until(FORMING_MS, () => alone.leads());
      await alone.request("internal.forced", {});
      return { clusterId: identity.cluster, memberId: identity.member, node: this.#settings.node, lost };
    } catch (error) {
      // Without its member this process is of no use; a new start finds the store as it was, or forced.
      if (this.#member === null) this.#fatal(error);
      throw error;
    }
  }

  #mustBeNew(call: ApiCall, params: Readonly<Record<string, unknown>>, isOutside = false): void {
    if (call.caller.kind !== "local") throw fault("BAD_REQUEST", "this is asked of the node itself, over its local socket");
    if (this.#phase !== "uninitialised" && !(isOutside && this.#phase === "member"))
      throw fault("ALREADY_INITIALISED", "this node is a member of a cluster already");
    const node = params["node"];
    if (node !== undefined && node !== null && node !== this.#settings.node) {
      throw fault(
        "BAD_REQUEST",
        `this daemon runs as node ${this.#settings.node}; start it with --node ${String(node)} to use another name`,
      );
    }
  }

  /** Asked before anything is promised: a token that was taken is used up, whatever becomes of the store. */
  async #mustHoldStore(): Promise<void> {
    const { directory, fileSystem } = this.#settings;
    await checkFileSystem(directory, fileSystem);
    await checkRoom(directory);
  }

  async #createStore(identity: NodeIdentity): Promise<void> {
    const { directory, node, fileSystem } = this.#settings;
    // What is there was left by an interrupted init or join, or by a member that lost its memory or was removed.
    rmSync(join(directory, "store.old"), { recursive: true, force: true });
    if (existsSync(join(directory, "store"))) renameSync(join(directory, "store"), join(directory, "store.old"));
    // The old identity goes first: a crash in between must not leave it beside a store that is not its own.
    rmSync(this.#identityDirectory, { recursive: true, force: true });
    await createStoreDirectory({
      directory: join(directory, "store"),
      fileSystem,
      identity: { cluster: identity.cluster, member: identity.member, nodeName: node, createdAtMs: Date.now() },
    });
  }

  async #token(params: Readonly<Record<string, unknown>>): Promise<unknown> {
    const member = this.#needMember();
    const ttl = params["ttlSeconds"] ?? TOKEN_LIFE_MS / 1000;
    if (typeof ttl !== "number" || !(ttl >= 1 && ttl <= TOKEN_LIFE_MAX_S))
      throw fault("BAD_REQUEST", `parameter ttlSeconds must be from 1 to ${TOKEN_LIFE_MAX_S}`);
    const { text, hash } = makeToken(member.identity.cluster, member.identity.authorityPem);
    await member.request("internal.token", { hash, lifeMs: ttl * 1000 });
    return { token: text, expiresMs: Date.now() + ttl * 1000 };
  }

  async #become(identity: NodeIdentity, how: { readonly peers: Peers; readonly firstStart: boolean }): Promise<MemberNode> {
    const member = await MemberNode.open({
      settings: this.#settings,
      identity,
      version: this.#version,
      peers: how.peers,
      firstStart: how.firstStart,
      api: () => this.#api,
      log: this.#log,
      onStop: (reason, left) => {
        this.#log.info({ reason }, "the node has ended");
        void this.#end(left ? EXIT_LEFT : 0);
      },
      onFatal: (error) => this.#fatal(error),
    });
    this.#member = member;
    this.#outside = null;
    this.#phase = "member";
    return member;
  }

  /** The disk failed or an invariant broke: the process ends at once, and the guardian goes on alone. */
  #fatal(error: unknown): void {
    const code = error instanceof QuorateError ? { code: error.detail.code } : {};
    const facts = error instanceof Error ? { ...code, error: error.message, stack: error.stack } : { error: String(error) };
    this.#log.error(facts, "the daemon cannot go on");
    setTimeout(() => this.#onEnd(70), 50);
  }

  async #end(code: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#member?.close();
    await this.#api?.close();
    this.#onEnd(code);
  }
}

async function until(timeoutMs: number, holds: () => boolean): Promise<void> {
  const endMs = monotonicMs() + timeoutMs;
  while (!holds()) {
    if (monotonicMs() > endMs) throw fault("TIMEOUT", `this took longer than ${timeoutMs} ms; it may still happen`, { retryable: true });
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The status that a member answers with, and that it was removed, if it was. */
function warnedOf(member: MemberNode, answer: unknown): unknown {
  if (!member.isOutside) return answer;
  const status = answer as { readonly warnings: readonly string[] };
  return { ...status, warnings: [OUTSIDE, ...status.warnings] };
}
