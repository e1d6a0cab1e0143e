import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { type MemberId, memberId } from "../../core/base/index.ts";
import type { Admission } from "../../core/controller/index.ts";
import type { Log } from "../../core/ports/index.ts";
import { ApiFault, fault } from "../../io/api/index.ts";
import { monotonicMs } from "../../io/executor/index.ts";
import {
  type Authority,
  CLOCK_ALLOWANCE_MS,
  createAuthority,
  createRequest,
  issueCertificate,
  type NodeIdentity,
  parseToken,
  tokenHash,
} from "../../io/pki/index.ts";
import { memberAt, type RequestAnswer, RequestError, type RequestOptions, readJsonBody, requestMember } from "../../io/transport/index.ts";
import { type ClusterId, countOf, fieldsOf, flagOf, listOf, Malformed, MEMBERS_MAX, nullable, textOf } from "../../io/wire/index.ts";
import { DEFAULT_PORT } from "./settings.ts";

/** A join request or answer is at most this long, bytes. */
const JOIN_BYTES_MAX = 256 * 1024;
/** A joining node waits this long for each answer, milliseconds. */
const JOIN_TIMEOUT_MS = 30_000;
/** It asks again for this long while its name is still taken, or no leader answers; milliseconds. */
const JOIN_PATIENCE_MS = 45_000;
const JOIN_AGAIN_MS = 1_000;

const NEW_TOKEN_HELPS: ReadonlySet<string> = new Set(["TOKEN_UNKNOWN", "TOKEN_EXPIRED", "TOKEN_USED"]);

export function drawMemberId(): MemberId {
  // 53 random bits; zero is no id.
  const value = Number(randomBytes(8).readBigUInt64BE() >> 11n);
  return memberId(Math.max(1, value));
}

export function drawClusterId(): ClusterId {
  return randomBytes(8).toString("hex");
}

function hostsOf(addresses: readonly string[]): readonly string[] {
  const hosts = addresses.map((address) => address.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
  return [...new Set(hosts)].filter((host) => isIP(host) !== 0 || /^[A-Za-z0-9.-]+$/.test(host));
}

/** Makes the authority and the first member of a new cluster. */
export async function foundCluster(of: {
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly nowMs: number;
}): Promise<NodeIdentity> {
  const cluster = drawClusterId();
  const member = drawMemberId();
  const authority = await createAuthority({ cluster, clusterName: of.name, nowMs: of.nowMs });
  const request = await createRequest(of.node);
  const certificatePem = await issueCertificate(authority, {
    requestPem: request.requestPem,
    name: { kind: "member", cluster, member },
    label: of.node,
    hosts: hostsOf(of.addresses),
    nowMs: of.nowMs,
  });
  return {
    cluster,
    member,
    certificatePem,
    privateKeyPem: request.privateKeyPem,
    authorityPem: authority.certificatePem,
    authorityKeyPem: authority.privateKeyPem,
  };
}

/** A certificate for the same member with a new life (renewal at two thirds of the old one). */
export async function renewIdentity(
  identity: NodeIdentity,
  of: { node: string; addresses: readonly string[]; nowMs: number },
): Promise<NodeIdentity | null> {
  if (identity.authorityKeyPem === null) return null;
  const authority: Authority = { certificatePem: identity.authorityPem, privateKeyPem: identity.authorityKeyPem };
  const request = await createRequest(of.node);
  const certificatePem = await issueCertificate(authority, {
    requestPem: request.requestPem,
    name: { kind: "member", cluster: identity.cluster, member: identity.member },
    label: of.node,
    hosts: hostsOf(of.addresses),
    nowMs: of.nowMs,
  });
  return { ...identity, certificatePem, privateKeyPem: request.privateKeyPem };
}

const matching = (value: unknown, what: string, pattern: RegExp): string => {
  const text = textOf(value, what);
  if (!pattern.test(text)) throw new Malformed(`${what} does not look like one`);
  return text;
};
const idOf = (value: unknown): MemberId => {
  const id = countOf(value, "memberId");
  if (id === 0) throw new Malformed("memberId is 0");
  return memberId(id);
};

/** Throws `Malformed`. */
function joinRequestOf(plain: unknown) {
  const fields = fieldsOf(plain, "request");
  const addresses = listOf(fields["addresses"], "addresses", 4).map((one) => textOf(one, "address", 256));
  if (addresses.length === 0) throw new Malformed("addresses is empty");
  return {
    tokenHash: matching(fields["tokenHash"], "tokenHash", /^[0-9a-f]{64}$/),
    secret: matching(fields["secret"], "secret", /^[0-9a-f]{64}$/),
    node: matching(fields["node"], "node", /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
    memberId: idOf(fields["memberId"]),
    addresses,
    witness: nullable(fields["witness"], (value) => flagOf(value, "witness")) ?? false,
    requestPem: textOf(fields["requestPem"], "requestPem", 16_384),
    /** Wall clock of the asker, milliseconds since 1970; null: a version that does not tell it. */
    clockMs: nullable(fields["clockMs"], (value) => countOf(value, "clockMs")),
  };
}

/** Throws `Malformed`. */
function joinAnswerOf(plain: unknown) {
  const fields = fieldsOf(plain, "answer");
  const text = (name: string): string => textOf(fields[name], name, JOIN_BYTES_MAX);
  return {
    cluster: text("cluster"),
    certificatePem: text("certificatePem"),
    authorityPem: text("authorityPem"),
    authorityKeyPem: text("authorityKeyPem"),
    members: listOf(fields["members"], "members", MEMBERS_MAX).map((one) => {
      const row = fieldsOf(one, "member");
      return {
        member: idOf(row["member"]),
        addresses: listOf(row["addresses"], "addresses", 8).map((each) => textOf(each, "address", 256)),
      };
    }),
  };
}

function understood<T>(read: () => T, what: string): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof Malformed) throw fault("JOIN_REFUSED", `the ${what} is malformed: ${cause.message}`);
    throw cause;
  }
}

export type Peers = readonly { readonly member: MemberId; readonly addresses: readonly string[] }[];

export type Joined = { readonly identity: NodeIdentity; readonly peers: Peers };

/**
 * Asks a member to be let in. The token pins the cluster's authority, so the secret is told to the right cluster alone.
 * An answer that was lost, and a predecessor under this name that the cluster has not missed yet, are waited for: the
 * member id stays the same, so that asking again is no second join.
 */
export async function askToJoin(of: {
  readonly address: string;
  readonly token: string;
  readonly node: string;
  readonly addresses: readonly string[];
  /** It votes and stores, and never runs a resource (RAFT.md §4). */
  readonly witness: boolean;
  readonly log: Log;
}): Promise<Joined> {
  const parsed = parseToken(of.token);
  if (parsed.kind === "malformed") throw fault("JOIN_REFUSED", parsed.reason);
  const { token } = parsed;
  const address = /:\d+$/.test(of.address) ? of.address : `${of.address}:${DEFAULT_PORT}`;
  const member = drawMemberId();
  const request = await createRequest(of.node);
  const body = {
    tokenHash: tokenHash(token),
    secret: token.secret,
    node: of.node,
    memberId: member,
    addresses: of.addresses,
    ...(of.witness ? { witness: true } : {}),
    requestPem: request.requestPem,
  };
  const trust = { kind: "pin", cluster: token.cluster, authorityHash: token.authorityHash } as const;
  const untilMs = monotonicMs() + JOIN_PATIENCE_MS;
  for (;;) {
    try {
      const plain = await ask({ address, trust, path: "/join", body: { ...body, clockMs: Date.now() }, timeoutMs: JOIN_TIMEOUT_MS });
      const answer = understood(() => joinAnswerOf(plain), "join answer");
      const { cluster, certificatePem, authorityPem, authorityKeyPem } = answer;
      const identity = { cluster, member, certificatePem, privateKeyPem: request.privateKeyPem, authorityPem, authorityKeyPem };
      return { identity, peers: answer.members };
    } catch (error) {
      const { code, retryable } = error instanceof ApiFault ? error.detail : { code: "", retryable: false };
      if ((!retryable && code !== "NODE_EXISTS") || monotonicMs() >= untilMs) throw error;
      of.log.info({ address, code }, "not let in yet; asked again");
      await new Promise((resolve) => setTimeout(resolve, JOIN_AGAIN_MS));
    }
  }
}

/** The answer's body, or the refusal as it was said. */
async function ask(options: RequestOptions): Promise<unknown> {
  let answer: RequestAnswer;
  try {
    answer = await requestMember(options);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    // Nobody there is answered at once: an address that is wrong is more likely than one that will be right.
    throw fault(error.detail.code, error.message, { retryable: error.detail.code === "REQUEST_TIMEOUT" });
  }
  if (answer.status === 200) return answer.body;
  const refusal = (answer.body ?? {}) as { readonly code?: string; readonly message?: string; readonly retryable?: boolean };
  const code = refusal.code ?? "JOIN_REFUSED";
  const message = refusal.message ?? `refused with status ${answer.status}`;
  const remedy = NEW_TOKEN_HELPS.has(code) ? "; `quorate cluster token` on a member prints a new one" : "";
  throw fault(code, `${message}${remedy}`, {
    retryable: refusal.retryable ?? false,
  });
}

/**
 * A wrong address cuts a member off, and two of them a small cluster from its quorum, after which no address can be changed
 * any more. So the member must answer at one of them at least, and nobody else at any. Throws an `ApiFault`.
 */
export async function proveAddresses(of: {
  readonly node: string;
  readonly member: MemberId;
  readonly addresses: readonly string[];
  readonly identity: NodeIdentity;
}): Promise<void> {
  const trust = { kind: "tls", cluster: of.identity.cluster as ClusterId, tls: of.identity } as const;
  const found = await Promise.all(
    of.addresses.map((address) =>
      memberAt({ address, trust }).then(
        (member) => ({ address, member, reason: "" }),
        (error: unknown) => ({ address, member: null, reason: error instanceof Error ? error.message : String(error) }),
      ),
    ),
  );
  const stranger = found.find(({ member }) => member !== null && member !== of.member);
  if (stranger !== undefined) throw fault("MEMBERSHIP_REFUSED", `another member than ${of.node} answers at ${stranger.address}`);
  if (found.some(({ member }) => member === of.member)) return;
  const reasons = found.map(({ reason }) => reason).join("; ");
  throw fault("MEMBERSHIP_REFUSED", `${of.node} does not answer there (${reasons}); with --force it is changed all the same`);
}

export type JoinDesk = {
  readonly identity: () => NodeIdentity;
  readonly wallMs: () => number;
  /** Takes the token and makes the member a learner; resolves with everybody's addresses. Rejects with an `ApiFault`. */
  readonly admit: (admission: Admission) => Promise<Peers>;
  readonly log: Log;
};

/** The service behind `/join` of the TLS port. */
export function serveJoin(desk: JoinDesk): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify(body));
    };
    handleJoin(desk, request).then(
      (body) => answer(200, body),
      (error: unknown) => {
        const detail = error instanceof Error && "detail" in error ? (error.detail as { code?: string; retryable?: boolean }) : {};
        const message = error instanceof Error ? error.message : String(error);
        desk.log.warn(
          { address: request.socket.remoteAddress, code: detail.code ?? "JOIN_REFUSED", reason: message },
          "a join was refused",
        );
        answer(403, { code: detail.code ?? "JOIN_REFUSED", message, retryable: detail.retryable ?? false });
      },
    );
  };
}

/** A certificate that begins in the newcomer's future opens no link, and the newcomer would wait for one in vain. */
function mustAgreeOnTime(ask: { readonly node: string; readonly clockMs: number | null }, nowMs: number): void {
  const aheadMs = ask.clockMs === null ? 0 : ask.clockMs - nowMs;
  if (Math.abs(aheadMs) < CLOCK_ALLOWANCE_MS) return;
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  const way = aheadMs < 0 ? "behind" : "ahead of";
  throw fault(
    "JOIN_REFUSED",
    `the clock of ${ask.node} is ${minutes} minutes ${way} this member's: set one of them right, then join with the same token`,
  );
}

async function handleJoin(desk: JoinDesk, request: IncomingMessage): Promise<unknown> {
  const identity = desk.identity();
  if (request.method !== "POST" || request.url !== "/join") throw fault("JOIN_REFUSED", "this is not how a node joins");
  const plain = await readJsonBody(request, JOIN_BYTES_MAX);
  const ask = understood(() => joinRequestOf(plain), "join request");
  const hash = tokenHash({ cluster: identity.cluster, authorityHash: "", secret: ask.secret });
  if (hash !== ask.tokenHash) throw fault("JOIN_REFUSED", "the token does not fit its secret");
  if (identity.authorityKeyPem === null)
    throw fault("JOIN_REFUSED", "this member has no vote and may not sign; ask another one", { retryable: true });
  const member = ask.memberId;
  const nowMs = desk.wallMs();
  mustAgreeOnTime(ask, nowMs);
  const certificatePem = await issueCertificate(
    { certificatePem: identity.authorityPem, privateKeyPem: identity.authorityKeyPem },
    {
      requestPem: ask.requestPem,
      name: { kind: "member", cluster: identity.cluster, member },
      label: ask.node,
      hosts: hostsOf(ask.addresses),
      nowMs,
    },
  );
  const admission = { tokenHash: hash, node: ask.node, memberId: member, addresses: ask.addresses };
  const peers = await desk.admit(ask.witness === true ? { ...admission, witness: true } : admission);
  desk.log.info({ node: ask.node, member }, "a node was let in");
  return {
    cluster: identity.cluster,
    certificatePem,
    authorityPem: identity.authorityPem,
    authorityKeyPem: identity.authorityKeyPem,
    members: peers.map((peer) => ({ member: peer.member, addresses: peer.addresses })),
  };
}
