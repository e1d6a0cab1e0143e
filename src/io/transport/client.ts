import { request } from "node:http";
import { connect, type TLSSocket } from "node:tls";
import { type MemberId, QuorateError } from "../../core/base/index.ts";
import { type ClusterId, FRAME_BYTES_MAX, peerNameOf } from "../wire/index.ts";
import { parseAddress } from "./address.ts";
import { CONNECT_TIMEOUT_MS } from "./limits.ts";
import type { Address, TlsIdentity } from "./types.ts";

export type RequestErrorCode =
  | "REQUEST_BAD_ADDRESS"
  | "REQUEST_UNREACHABLE"
  /** Who answers is not the cluster that the token, or our own certificate, names. Nothing was sent. */
  | "REQUEST_OTHER_CLUSTER"
  | "REQUEST_TIMEOUT"
  | "REQUEST_TOO_LARGE";

export class RequestError extends QuorateError<{ readonly code: RequestErrorCode; readonly address: Address }> {
  override readonly name = "RequestError";
}

export type RequestOptions = {
  readonly address: Address;
  /** `pin`: a node without certificate that knows the CA's SHA-256 from its token. `tls`: a member. */
  readonly trust:
    | { readonly kind: "pin"; readonly cluster: ClusterId; readonly authorityHash: string }
    | { readonly kind: "tls"; readonly cluster: ClusterId; readonly tls: TlsIdentity };
  readonly path: string;
  /** Sent as JSON with POST, only after the peer has proved who it is. At most FRAME_BYTES_MAX. */
  readonly body: unknown;
  readonly timeoutMs?: number;
};

export type RequestAnswer = { readonly status: number; readonly body: unknown; readonly authorityPem: string };

/** One request to the TLS port of a member, for joining and for fetching the authority. Throws `RequestError`. */
export async function requestMember(options: RequestOptions): Promise<RequestAnswer> {
  const target = parseAddress(options.address);
  if (target === null)
    throw new RequestError(`${options.address} is not host:port`, { code: "REQUEST_BAD_ADDRESS", address: options.address });
  const timeoutMs = options.timeoutMs ?? 30_000;
  const socket = await secure(options, target);
  try {
    const { authorityPem } = proveServer(socket, options);
    return { ...(await exchange(socket, options, target.host, timeoutMs)), authorityPem };
  } finally {
    socket.destroy();
  }
}

type Dialled = Pick<RequestOptions, "address" | "trust">;

/** Which member of our cluster answers at that address? Asks nothing of it. Throws `RequestError`. */
export async function memberAt(options: Dialled): Promise<MemberId> {
  const { address } = options;
  const target = parseAddress(address);
  if (target === null) throw new RequestError(`${address} is not host:port`, { code: "REQUEST_BAD_ADDRESS", address });
  const socket = await secure(options, target);
  try {
    return proveServer(socket, options).member;
  } finally {
    socket.destroy();
  }
}

function secure(options: Dialled, target: { readonly host: string; readonly port: number }): Promise<TLSSocket> {
  const { trust, address } = options;
  return new Promise((resolve, reject) => {
    const identity =
      trust.kind === "tls"
        ? { cert: trust.tls.certificatePem, key: trust.tls.privateKeyPem, ca: trust.tls.authorityPem, rejectUnauthorized: true }
        : // The chain is compared with the pinned hash below; there is no authority yet that Node could check it against.
          { rejectUnauthorized: false };
    const socket = connect({
      ...target,
      ...identity,
      minVersion: "TLSv1.3",
      checkServerIdentity: () => undefined,
      timeout: CONNECT_TIMEOUT_MS * 2,
    });
    const fail = (cause: Error & { code?: string }): void => {
      socket.destroy();
      const isTrust = /CERT|SIGNED|SIGNATURE|ISSUER/.test(cause.code ?? "");
      const code = isTrust ? "REQUEST_OTHER_CLUSTER" : "REQUEST_UNREACHABLE";
      reject(new RequestError(`${address}: ${whyUnreachable(cause)}`, { code, address }, cause));
    };
    socket.once("error", fail);
    socket.once("timeout", () => fail(new Error("no answer in time")));
    socket.once("secureConnect", () => {
      socket.off("error", fail);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/** What an operator can do about it, in place of what the libraries say. */
function whyUnreachable(cause: Error & { readonly code?: string }): string {
  switch (cause.code) {
    case "ECONNREFUSED":
      return "nothing listens there; a daemon listens from the moment on when it is a member of a cluster";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the name cannot be resolved (${cause.code})`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `there is no way to that host (${cause.code})`;
    default:
      // OpenSSL's own sentences hold addresses in memory and lines of its source.
      return cause.code?.startsWith("ERR_SSL_") === true
        ? `who listens there does not speak TLS as members do (${cause.code})`
        : cause.message;
  }
}

/** Checks that a member of the wanted cluster answers; gives its id and the CA certificate that proves it. */
function proveServer(socket: TLSSocket, { trust, address }: Dialled): { readonly authorityPem: string; readonly member: MemberId } {
  const refuse = (reason: string): never => {
    throw new RequestError(`${address}: ${reason}`, { code: "REQUEST_OTHER_CLUSTER", address });
  };
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return refuse("no certificate was shown");
  const name = peerNameOf(leaf.subjectAltName);
  if (name?.kind !== "member") return refuse("who answers is no member of a cluster");
  if (name.cluster !== trust.cluster) {
    const whose = trust.kind === "pin" ? "the token is of" : "this member belongs to";
    return refuse(`a member of cluster ${name.cluster} answers there; ${whose} cluster ${trust.cluster}`);
  }
  const { member } = name;
  if (trust.kind === "tls") return { authorityPem: trust.tls.authorityPem, member };
  // Two steps are enough: an authority of ours signs members itself (path length 0).
  const authority = leaf.issuerCertificate;
  if (authority !== undefined && authority.fingerprint256.replaceAll(":", "").toLowerCase() === trust.authorityHash) {
    if (!authority.ca || !leaf.verify(authority.publicKey)) return refuse("the certificate was not signed by the pinned authority");
    return { authorityPem: authority.toString(), member };
  }
  return refuse("its authority is not the one that the token names");
}

function exchange(socket: TLSSocket, options: RequestOptions, host: string, timeoutMs: number): Promise<{ status: number; body: unknown }> {
  const { address, path } = options;
  const text = JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const fail = (code: RequestErrorCode, reason: string, cause?: unknown): void => {
      clearTimeout(timer);
      reject(new RequestError(`${address}: ${reason}`, { code, address }, cause));
      socket.destroy();
    };
    const timer = setTimeout(() => fail("REQUEST_TIMEOUT", `no answer in ${timeoutMs} ms`), timeoutMs);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text), connection: "close" };
    const asking = request({ method: "POST", host, path, headers, createConnection: () => socket }, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size > FRAME_BYTES_MAX) fail("REQUEST_TOO_LARGE", `an answer above ${FRAME_BYTES_MAX} bytes`);
        else parts.push(part);
      });
      response.on("error", (cause) => fail("REQUEST_UNREACHABLE", cause.message, cause));
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: parseJson(Buffer.concat(parts).toString("utf8")) });
      });
    });
    asking.on("error", (cause) => fail("REQUEST_UNREACHABLE", cause.message, cause));
    asking.end(text);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Reads the JSON body of a request on a mount, at most `limitBytes`. Null when it is larger, cut off, or no JSON; the
 * caller answers 400.
 */
export async function readJsonBody(incoming: AsyncIterable<Buffer>, limitBytes: number): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of incoming) {
      size += part.length;
      if (size > limitBytes) return null;
      parts.push(part);
    }
  } catch {
    // The peer went away in the middle of its request.
    return null;
  }
  return parseJson(Buffer.concat(parts).toString("utf8"));
}
