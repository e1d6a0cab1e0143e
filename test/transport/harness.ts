import { logIndex, memberId, term } from "../../src/core/base/index.ts";
import type { Log, LogFields } from "../../src/core/ports/index.ts";
import type { Message } from "../../src/core/raft/index.ts";
import { type Authority, createAuthority, createRequest, issueCertificate } from "../../src/io/pki/index.ts";
import {
  type Admission,
  createTransport,
  type LinkEvent,
  type Mount,
  type TlsIdentity,
  type Transport,
} from "../../src/io/transport/index.ts";
import { type CommandCodec, createFrameCodec } from "../../src/io/wire/index.ts";

export const CLUSTER = "00112233445566aa";
export const OTHER_CLUSTER = "ff112233445566aa";

export const textCommands: CommandCodec<string> = {
  encode: (command) => Buffer.from(command),
  decode: (bytes) => Buffer.from(bytes).toString(),
};

export const newAuthority = (cluster = CLUSTER): Promise<Authority> => createAuthority({ cluster, clusterName: "test", nowMs: Date.now() });

export async function tlsOf(authority: Authority, member: number, cluster = CLUSTER): Promise<TlsIdentity> {
  const { requestPem, privateKeyPem } = await createRequest(`m${member}`);
  const certificatePem = await issueCertificate(authority, {
    requestPem,
    name: { kind: "member", cluster, member: memberId(member) },
    label: `m${member}`,
    hosts: ["127.0.0.1"],
    nowMs: Date.now(),
  });
  return { certificatePem, privateKeyPem, authorityPem: authority.certificatePem };
}

/** Keeps what happened and lets a test wait for it: every wait is for an event, never for time. */
export class Journal<T> {
  readonly items: T[] = [];
  readonly #waiting = new Set<() => void>();
  add(item: T): void {
    this.items.push(item);
    for (const look of [...this.#waiting]) look();
  }
  until(what: string, found: (items: readonly T[]) => boolean, limitMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`${what}: not within ${limitMs} ms; seen ${JSON.stringify(this.items).slice(0, 2000)}`));
      }, limitMs);
      const look = (): void => {
        if (!found(this.items)) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

export type Line = { readonly level: string; readonly message: string } & LogFields;

export type TestNode = {
  readonly transport: Transport<Message<string>>;
  readonly links: Journal<LinkEvent>;
  readonly messages: Journal<{ readonly from: number; readonly message: Message<string> }>;
  readonly lines: Journal<Line>;
  readonly address: string;
};

export type NodeOptions = {
  readonly member: number;
  readonly tls: TlsIdentity;
  readonly cluster?: string;
  readonly admit?: (member: number) => Admission;
  readonly mounts?: readonly Mount[];
  readonly rings?: number;
  readonly boot?: number;
  readonly port?: number;
  readonly codec?: Parameters<typeof createTransport<Message<string>>>[0]["codec"];
};

export async function startNode(options: NodeOptions): Promise<TestNode> {
  const links = new Journal<LinkEvent>();
  const messages = new Journal<{ readonly from: number; readonly message: Message<string> }>();
  const lines = new Journal<Line>();
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      lines.add({ level, message, ...fields });
  const log: Log = { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
  const cluster = options.cluster ?? CLUSTER;
  const self = memberId(options.member);
  const transport = await createTransport<Message<string>>({
    cluster,
    self,
    boot: options.boot ?? 1,
    tls: options.tls,
    listen: Array.from({ length: options.rings ?? 1 }, () => ({ host: "127.0.0.1", port: options.port ?? 0 })),
    codec: options.codec ?? createFrameCodec({ cluster, self, commands: textCommands }),
    onMessage: (from, message) => messages.add({ from, message }),
    onLink: (event) => links.add(event),
    onFatal: (error) => lines.add({ level: "fatal", message: error.message }),
    admit: (member) => options.admit?.(member) ?? { kind: "admitted" },
    mounts: options.mounts ?? [],
    log,
    now: () => performance.now(),
    seed: options.member,
  });
  return { transport, links, messages, lines, address: `127.0.0.1:${transport.listening[0]!.port}` };
}

export const heartbeat = (round: number): Message<string> => ({
  kind: "heartbeat",
  term: term(1),
  boot: 1,
  commit: logIndex(0),
  leaderCommit: logIndex(0),
  round,
  quorumAgeMs: null,
  echoMs: null,
  echoBoot: 0,
});

export const append = (from: number, count: number, text = "x"): Message<string> => ({
  kind: "append",
  term: term(1),
  boot: 1,
  prevIndex: logIndex(from - 1),
  prevTerm: term(1),
  commit: logIndex(0),
  entries: Array.from({ length: count }, (_, at) => ({ kind: "data" as const, term: term(1), index: logIndex(from + at), data: text })),
});

export const isUp = (items: readonly LinkEvent[]): boolean => items.some((event) => event.kind === "up");
