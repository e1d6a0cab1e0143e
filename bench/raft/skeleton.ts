import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { logIndex, memberId, term } from "../../src/core/base/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import type { Entry, Message } from "../../src/core/raft/index.ts";
import { createApiServer } from "../../src/io/api/index.ts";
import { createAuthority, createRequest, issueCertificate } from "../../src/io/pki/index.ts";
import { createStoreDirectory, openStoreDirectory, type RaftStore } from "../../src/io/storage/index.ts";
import { createTransport, type TlsIdentity, type Transport } from "../../src/io/transport/index.ts";
import { type CommandCodec, createFrameCodec } from "../../src/io/wire/index.ts";

/**
 * The I/O skeleton of a commit: three processes with the production store, links and API, and no Raft. The first takes
 * `bench.put {data}`, writes it, sends it to the others, and answers when two of three have it on disk. What a real
 * commit costs above this is what consensus, the state machine and the daemon cost.
 */
const CLUSTER = "5ce1e70000000000";
const MEMBERS = [1, 2, 3] as const;

const bytesCodec: CommandCodec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes };

type ToNode =
  | { readonly kind: "start"; readonly member: number; readonly directory: string; readonly tls: TlsIdentity }
  | { readonly kind: "peers"; readonly peers: readonly { readonly member: number; readonly address: string }[] }
  | { readonly kind: "stop" };
type FromNode = { readonly kind: "started"; readonly address: string } | { readonly kind: "linked" };

/** A running skeleton; `socketPath` answers `bench.put` with `{index}`. */
export type Skeleton = { readonly socketPath: string; readonly pids: readonly number[]; stop(): Promise<void> };

/** Starts the three processes under `directory`, on the file system that the bench is about. */
export async function startSkeleton(directory: string): Promise<Skeleton> {
  const authority = await createAuthority({ cluster: CLUSTER, clusterName: "skeleton", nowMs: Date.now() });
  const children = new Map<number, ChildProcess>();
  const peers: { member: number; address: string }[] = [];
  for (const member of MEMBERS) {
    const { requestPem, privateKeyPem } = await createRequest(`s${member}`);
    const name = { kind: "member", cluster: CLUSTER, member: memberId(member) } as const;
    const certificatePem = await issueCertificate(authority, {
      requestPem,
      name,
      label: `s${member}`,
      hosts: ["127.0.0.1"],
      nowMs: Date.now(),
    });
    const child = fork(fileURLToPath(import.meta.url), ["--skeleton-node"], { serialization: "advanced" });
    children.set(member, child);
    const home = join(directory, `s${member}`);
    mkdirSync(home, { recursive: true });
    const started = heard(child, "started");
    child.send({
      kind: "start",
      member,
      directory: home,
      tls: { certificatePem, privateKeyPem, authorityPem: authority.certificatePem },
    } satisfies ToNode);
    const answer = await started;
    if (answer.kind === "started") peers.push({ member, address: answer.address });
  }
  const linked = [...children.values()].map((child) => heard(child, "linked"));
  for (const child of children.values()) child.send({ kind: "peers", peers } satisfies ToNode);
  await Promise.all(linked);
  return {
    socketPath: join(directory, "s1", "api.sock"),
    pids: [...children.values()].map((child) => child.pid ?? 0),
    stop: async () => {
      await Promise.all([...children.values()].map((child) => ended(child)));
    },
  };
}

function heard(child: ChildProcess, kind: FromNode["kind"]): Promise<FromNode> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a skeleton process ended with ${code}`));
    child.once("exit", onExit);
    child.on("message", (message: FromNode) => {
      if (message.kind !== kind) return;
      child.off("exit", onExit);
      resolve(message);
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.send({ kind: "stop" } satisfies ToNode);
  });
}

type Pending = { readonly index: number; readonly done: () => void };

/** One process: a store, links, and on the first member the API. */
class Node {
  readonly #store: RaftStore<Uint8Array>;
  readonly #member: number;
  #transport: Transport<Message<Uint8Array>> | null = null;
  #last = 0;
  #gathered: Entry<Uint8Array>[] = [];
  #waiting: Pending[] = [];
  readonly #durable = new Map<number, number>(MEMBERS.map((member) => [member, 0]));
  constructor(store: RaftStore<Uint8Array>, member: number, last: number) {
    this.#store = store;
    this.#member = member;
    this.#last = last;
  }

  link(transport: Transport<Message<Uint8Array>>): void {
    this.#transport = transport;
  }

  put(data: Uint8Array): Promise<number> {
    this.#last += 1;
    const index = this.#last;
    this.#gathered.push({ kind: "data", term: term(1), index: logIndex(index), data });
    if (this.#gathered.length === 1) setImmediate(() => this.#flush());
    return new Promise((resolve) => this.#waiting.push({ index, done: () => resolve(index) }));
  }

  #flush(): void {
    const entries = this.#gathered;
    this.#gathered = [];
    const first = entries[0]!;
    const prevIndex = logIndex(first.index - 1);
    const message = { kind: "append", term: term(1), boot: 1, prevIndex, prevTerm: term(1), commit: prevIndex, entries } as const;
    // As in Raft thesis §10.2.1: the followers write while the leader does.
    for (const peer of MEMBERS) if (peer !== this.#member) this.#transport?.send(memberId(peer), message);
    void this.#save(entries).then(() => this.#stored(this.#member, first.index + entries.length - 1));
  }

  #save(entries: readonly Entry<Uint8Array>[]): Promise<void> {
    return this.#store.save({ hard: null, entries, snapshot: null, recovered: false });
  }

  #stored(member: number, index: number): void {
    this.#durable.set(member, Math.max(index, this.#durable.get(member) ?? 0));
    const middle = [...this.#durable.values()].sort((a, b) => a - b)[1] ?? 0;
    const done = this.#waiting.findIndex((one) => one.index > middle);
    for (const one of this.#waiting.splice(0, done === -1 ? this.#waiting.length : done)) one.done();
  }

  onMessage(from: number, message: Message<Uint8Array>): void {
    if (message.kind === "appendReply") this.#stored(from, message.match);
    if (message.kind !== "append" || message.entries.length === 0) return;
    const match = logIndex(message.prevIndex + message.entries.length);
    void this.#save(message.entries).then(() => {
      const reply = { kind: "appendReply", term: term(1), boot: 1, ok: true, match, prevIndex: message.prevIndex } as const;
      this.#transport?.send(memberId(from), { ...reply, hintIndex: logIndex(0), hintTerm: term(0), storeAgeMs: 0, state: "normal" });
    });
  }
}

async function runNode(start: Extract<ToNode, { kind: "start" }>): Promise<void> {
  const tell = (message: FromNode): void => void process.send?.(message);
  const { member, tls } = start;
  const directory = join(start.directory, "store");
  const identity = { cluster: CLUSTER, member: memberId(member), nodeName: `s${member}`, createdAtMs: Date.now() };
  await createStoreDirectory({ directory, identity, fileSystem: "memory" });
  const now = (): number => performance.now();
  const opened = await openStoreDirectory({
    directory,
    commands: bytesCodec,
    expected: identity,
    fileSystem: "memory",
    now,
    log: silentLog,
  });
  if (opened.kind !== "opened") throw new Error(`the store is ${opened.kind}`);
  const node = new Node(opened.store, member, 0);
  const up = new Set<number>();
  const transport = await createTransport<Message<Uint8Array>>({
    cluster: CLUSTER,
    self: memberId(member),
    boot: 1,
    tls,
    listen: [{ host: "127.0.0.1", port: 0 }],
    codec: createFrameCodec({ cluster: CLUSTER, self: memberId(member), commands: bytesCodec }),
    onMessage: (from, message) => node.onMessage(from, message),
    onFatal: (error) => {
      throw error;
    },
    onLink: (event) => {
      if (event.kind === "up") up.add(event.member);
      if (up.size === MEMBERS.length - 1) tell({ kind: "linked" });
    },
    admit: () => ({ kind: "admitted" }),
    log: silentLog,
    now,
    seed: member,
  });
  node.link(transport);
  if (member === 1) await serve(node, join(start.directory, "api.sock"));
  tell({ kind: "started", address: `127.0.0.1:${transport.listening[0]!.port}` });
  process.on("message", (message: ToNode) => {
    if (message.kind === "peers")
      transport.setPeers(message.peers.map((peer) => ({ member: memberId(peer.member), addresses: [peer.address] })));
    else if (message.kind === "stop") void stopNode(transport, opened.store);
  });
}

async function stopNode(transport: Transport<Message<Uint8Array>>, store: RaftStore<Uint8Array>): Promise<void> {
  await transport.close();
  await store.close();
  process.exit(0);
}

async function serve(node: Node, socketPath: string): Promise<void> {
  await createApiServer({
    socketPath,
    log: silentLog,
    handler: {
      isWatch: () => false,
      watch: () => Promise.reject(new Error("the skeleton has nothing to watch")),
      request: async (call) => {
        const { data } = call.params as { data: string };
        return { index: await node.put(Buffer.from(data)) };
      },
    },
  });
}

if (process.argv.includes("--skeleton-node")) {
  process.once("message", (message: ToNode) => {
    if (message.kind === "start") void runNode(message);
  });
}
