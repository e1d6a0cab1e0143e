import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import { type ClusterId, FRAME_BYTES_MAX, type PeerName, peerNameOf } from "../wire/index.ts";
import { formatAddress } from "./address.ts";
import { CONNECT_TIMEOUT_MS, CONNECTIONS_MAX } from "./limits.ts";
import type { Refusals } from "./refusals.ts";
import type { Address, LinkRefusal, Mount, TlsIdentity } from "./types.ts";

/** Path of the members' links. */
export const LINK_PATH = "/raft";
/** Says in an HTTP refusal what a close frame says later. */
export const REFUSAL_HEADER = "x-quorate-refusal";

export type ServerOptions = {
  readonly cluster: ClusterId;
  readonly tls: TlsIdentity;
  readonly mounts: readonly Mount[];
  readonly refusals: Refusals;
  /** A link from a holder of a member's certificate of this cluster. */
  readonly onLink: (socket: WebSocket, peer: Extract<PeerName, { kind: "member" }>, remote: Address) => void;
};

type Judged =
  | { readonly kind: "peer"; readonly peer: PeerName }
  | { readonly kind: "none"; readonly code: LinkRefusal; readonly reason: string };

/** What the TLS handshake proved about the other end. */
function judge(socket: TLSSocket, cluster: ClusterId): Judged {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: "none", code: "LINK_NO_CERTIFICATE", reason: "no certificate was shown" };
  const name = peerNameOf(certificate.subjectAltName);
  if (!socket.authorized) {
    const why = String(socket.authorizationError ?? "not signed by this cluster");
    if (name !== null && name.cluster !== cluster)
      return { kind: "none", code: "LINK_OTHER_CLUSTER", reason: `certificate of cluster ${name.cluster} (${why})` };
    return { kind: "none", code: "LINK_FOREIGN_CERTIFICATE", reason: `the certificate is not of this cluster: ${why}` };
  }
  if (name === null) return { kind: "none", code: "LINK_FOREIGN_CERTIFICATE", reason: "the certificate names no member and no operator" };
  if (name.cluster !== cluster) return { kind: "none", code: "LINK_OTHER_CLUSTER", reason: `certificate of cluster ${name.cluster}` };
  return { kind: "peer", peer: name };
}

export const serverTls = (tls: TlsIdentity) => ({
  // The authority travels with the chain: a joining node compares it with the hash in its token.
  cert: `${tls.certificatePem.trim()}\n${tls.authorityPem.trim()}\n`,
  key: tls.privateKeyPem,
  ca: tls.authorityPem,
  minVersion: "TLSv1.3" as const,
});

/** The TLS port: links of members, and whatever the daemon mounts beside them. */
export function createLinkServer(options: ServerOptions): Server {
  // Holders of no certificate must be able to reach /join, so each request is judged instead of each handshake.
  const server = createServer({
    ...serverTls(options.tls),
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.headersTimeout = CONNECT_TIMEOUT_MS;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 5_000;
  const remoteOf = (socket: { remoteAddress?: string | undefined; remotePort?: number | undefined }): Address =>
    formatAddress(socket.remoteAddress ?? "?", socket.remotePort ?? 0);
  const refuse = (code: LinkRefusal, reason: string, remote: Address, path?: string): void =>
    options.refusals.note(code, reason, path === undefined ? { remote } : { remote, path });

  server.on("tlsClientError", (error: Error & { code?: string }, socket) => {
    // A scanner that connects and leaves is no event.
    if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") refuse("LINK_HELLO_TIMEOUT", "no TLS handshake in time", remoteOf(socket));
    else if (error.code !== "ECONNRESET") refuse("LINK_GARBAGE", `no TLS handshake: ${error.message}`, remoteOf(socket));
    socket.destroy();
  });
  server.on("clientError", (error: Error & { code?: string }, socket) => {
    if (error.code !== "ECONNRESET" && error.code !== "EPIPE")
      refuse("LINK_GARBAGE", `no HTTP request: ${error.message}`, remoteOf(socket as TLSSocket));
    socket.destroy();
  });
  const links = new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });
  const mounted = options.mounts.map((mount) => ({
    mount,
    sockets: new WebSocketServer({ noServer: true, maxPayload: mount.maxPayloadBytes ?? FRAME_BYTES_MAX, perMessageDeflate: false }),
  }));
  const find = (url: string | undefined) => {
    const path = (url ?? "/").split("?")[0] ?? "/";
    return { path, found: mounted.find(({ mount }) => path === mount.path || path.startsWith(`${mount.path}/`)) };
  };
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { path, found } = find(request.url);
    const judged = judge(request.socket as TLSSocket, options.cluster);
    if (judged.kind === "none" && found?.mount.certificate !== "optional") {
      refuse(judged.code, judged.reason, remoteOf(request.socket), path);
      answer(response, 403, judged.code, judged.reason);
    } else if (found?.mount.onRequest === undefined) {
      refuse("LINK_UNKNOWN_PATH", `nothing is served at ${path.slice(0, 64)}`, remoteOf(request.socket), path.slice(0, 64));
      answer(response, 404, "LINK_UNKNOWN_PATH", "nothing is served here");
    } else found.mount.onRequest(request, response, judged.kind === "peer" ? judged.peer : null);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { path, found } = find(request.url);
    const remote = remoteOf(request.socket);
    const judged = judge(request.socket as TLSSocket, options.cluster);
    const isLink = path === LINK_PATH;
    const turnAway = (status: number, code: LinkRefusal, reason: string): void => {
      refuse(code, reason, remote, path.slice(0, 64));
      socket.end(
        `HTTP/1.1 ${status} Refused\r\n${REFUSAL_HEADER}: ${code}: ${reason.replace(/[^\x20-\x7e]/g, " ")}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
    };
    socket.on("error", () => socket.destroy());
    if (judged.kind === "none" && (isLink || found?.mount.certificate !== "optional")) turnAway(403, judged.code, judged.reason);
    else if (isLink) {
      if (judged.kind === "peer" && judged.peer.kind === "member") {
        const { peer } = judged;
        links.handleUpgrade(request, socket, head, (link) => options.onLink(link, peer, remote));
      } else turnAway(403, "LINK_NOT_A_MEMBER", "an operator's certificate is no member's");
    } else if (found?.mount.onWebSocket === undefined) turnAway(404, "LINK_UNKNOWN_PATH", "nothing is served here");
    else {
      const { onWebSocket } = found.mount;
      found.sockets.handleUpgrade(request, socket, head, (link) => onWebSocket(link, judged.kind === "peer" ? judged.peer : null));
    }
  });
  return server;
}

function answer(response: ServerResponse, status: number, code: LinkRefusal, reason: string): void {
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(`${JSON.stringify({ error: { code, message: reason } })}\n`);
}
