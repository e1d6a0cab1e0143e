import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { createSecureContext, type PeerCertificate, type SecureContext } from "node:tls";
import { WebSocket } from "ws";
import { invariant, type MemberId, QuorateError, seededRandom } from "../../core/base/index.ts";
import { FRAME_BYTES_MAX, peerNameOf } from "../wire/index.ts";
import { parseAddress } from "./address.ts";
import { CONNECT_TIMEOUT_MS, IDLE_TICK_MS, LATE_TICK_MS, RINGS_TICK_MS } from "./limits.ts";
import { type Dial, type DialFailure, Peer } from "./peer.ts";
import { parseReason, Refusals } from "./refusals.ts";
import { createLinkServer, LINK_PATH, REFUSAL_HEADER, serverTls } from "./server.ts";
import { Session, type SessionOptions } from "./session.ts";
import type { Address, LinkRefusal, Peer as PeerRow, TlsIdentity, Transport, TransportOptions, TransportStats } from "./types.ts";

/** The port cannot be listened on, or a message cannot be sent at all. */
export class TransportError extends QuorateError<{ readonly code: "TRANSPORT_LISTEN"; readonly host: string; readonly port: number }> {
  override readonly name = "TransportError";
}

/** Listens on every address and begins to link with the peers. Throws `TRANSPORT_LISTEN`. */
export async function createTransport<M>(options: TransportOptions<M>): Promise<Transport<M>> {
  const links = new Links(options);
  await links.listen();
  return links;
}

const REFUSED_CODES: ReadonlySet<string> = new Set(["ECONNREFUSED"]);

class Links<M> implements Transport<M> {
  readonly #options: TransportOptions<M>;
  readonly #refusals: Refusals;
  readonly #peers = new Map<MemberId, Peer>();
  readonly #servers: Server[] = [];
  readonly #random;
  readonly #pending = new Set<{ end(): void }>();
  #tls: TlsIdentity;
  #context: SecureContext;
  #timer: NodeJS.Timeout | null = null;
  #tickMs = 0;
  #lastTickMs = 0;
  #closed = false;
  listening: readonly { readonly host: string; readonly port: number }[] = [];

  constructor(options: TransportOptions<M>) {
    this.#options = options;
    this.#tls = options.tls;
    this.#context = clientContext(options.tls);
    this.#refusals = new Refusals(options.log, options.now);
    this.#random = seededRandom(options.seed);
  }

  async listen(): Promise<void> {
    const { cluster, mounts } = this.#options;
    const bound: { host: string; port: number }[] = [];
    for (const { host, port } of this.#options.listen) {
      const server = createLinkServer({
        cluster,
        tls: this.#tls,
        mounts: mounts ?? [],
        refusals: this.#refusals,
        onLink: (socket, peer, remote) => this.#accept(socket, peer.member, remote),
      });
      this.#servers.push(server);
      try {
        bound.push({ host, port: await listenOn(server, host, port) });
      } catch (cause) {
        await this.close();
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new TransportError(`cannot listen on ${host} port ${port}: ${reason}`, { code: "TRANSPORT_LISTEN", host, port }, cause);
      }
    }
    this.listening = bound;
    this.#setPace();
  }

  #setPace(): void {
    const wanted = [...this.#peers.values()].some((peer) => peer.hasSeveralRings) ? RINGS_TICK_MS : IDLE_TICK_MS;
    if (this.#closed || (this.#tickMs === wanted && this.#timer !== null)) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#tickMs = wanted;
    this.#lastTickMs = this.#options.now();
    this.#timer = setInterval(() => this.#tick(), wanted);
  }

  #tick(): void {
    const nowMs = this.#options.now();
    const lateMs = nowMs - this.#lastTickMs - this.#tickMs;
    this.#lastTickMs = nowMs;
    // After a pause of our own everything looks silent until what arrived meanwhile has been read (RAFT.md §7).
    if (lateMs > LATE_TICK_MS) return;
    for (const peer of this.#peers.values()) peer.tick(nowMs);
  }

  #peer(member: MemberId): Peer {
    const known = this.#peers.get(member);
    if (known !== undefined) return known;
    const peer: Peer = new Peer({
      self: this.#options.self,
      member,
      random: this.#random,
      now: this.#options.now,
      log: this.#options.log,
      onLink: (event) => {
        const { kind, ...facts } = event;
        // A rejection is told by whoever runs this node, which knows how often it has told it before.
        const level = kind === "up" || kind === "down" ? "info" : "debug";
        this.#options.log[level](facts, `link ${kind}`);
        this.#options.onLink(event);
      },
      dial: (address, ring, failed) => this.#dial(peer, address, ring, failed),
    });
    this.#peers.set(member, peer);
    return peer;
  }

  setPeers(rows: readonly PeerRow[]): void {
    const wanted = new Map(rows.filter((row) => row.member !== this.#options.self).map((row) => [row.member, row]));
    for (const [member, peer] of this.#peers) {
      if (wanted.has(member)) continue;
      peer.close("no longer a peer");
      this.#peers.delete(member);
    }
    for (const { member, addresses } of wanted.values()) this.#peer(member).setAddresses(addresses);
    this.#setPace();
  }

  #dial(peer: Peer, address: Address, ring: number, failed: (failure: DialFailure) => void): Dial {
    const target = parseAddress(address);
    if (target === null) {
      this.#options.log.error({ member: peer.member, address }, "the member's address is not host:port");
      const timer = setTimeout(() => failed("failed"), CONNECT_TIMEOUT_MS);
      return { cancel: () => clearTimeout(timer) };
    }
    let over = false;
    const tlsOptions = {
      secureContext: this.#context,
      // The name that matters is the member's, not the host's: addresses may change without a new certificate.
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => this.#checkServer(peer.member, certificate),
    };
    // ws hands these on to `tls.connect`, whose types its own do not repeat.
    const socket = new WebSocket(`wss://${address}${LINK_PATH}`, {
      ...(tlsOptions as object),
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      followRedirects: false,
    });
    const fail = (failure: DialFailure): void => {
      if (over) return;
      over = true;
      failed(failure);
    };
    socket.on("unexpected-response", (request, response) => {
      this.#rejected(peer.member, String(response.headers[REFUSAL_HEADER] ?? ""), address);
      request.destroy();
      fail("failed");
    });
    socket.on("error", (error: Error & { code?: string }) => {
      this.#dialFailed(peer.member, address, error);
      fail(REFUSED_CODES.has(error.code ?? "") ? "refused" : "failed");
    });
    socket.on("open", () => {
      if (over || this.#closed) {
        socket.terminate();
        return;
      }
      this.#session({
        socket,
        peer: peer.member,
        ring,
        address,
        onEarlyEnd: () => fail("failed"),
        onSettled: () => (over = true),
      });
    });
    return {
      cancel: () => {
        over = true;
        socket.terminate();
      },
    };
  }

  #checkServer(member: MemberId, certificate: PeerCertificate): Error | undefined {
    const name = peerNameOf(certificate.subjectaltname);
    if (name?.kind === "member" && name.cluster === this.#options.cluster && name.member === member) return undefined;
    const found =
      name === null ? "nobody" : name.kind === "member" ? `member ${name.member} of ${name.cluster}` : `operator ${name.operator}`;
    return Object.assign(new Error(`its certificate is of ${found}, wanted member ${member}`), { code: "LINK_OTHER_MEMBER" });
  }

  #dialFailed(member: MemberId, address: Address, error: Error & { code?: string }): void {
    const code = error.code ?? "";
    if (code === "LINK_OTHER_MEMBER") this.#refusals.note("LINK_OTHER_MEMBER", error.message, { member, address });
    else if (/CERT|SIGNED|SIGNATURE|ISSUER/.test(code)) {
      this.#refusals.note("LINK_FOREIGN_CERTIFICATE", `the server's certificate is not of this cluster: ${error.message}`, {
        member,
        address,
      });
    } else this.#options.log.debug({ member, address, code, cause: error.message }, "no connection");
  }

  #rejected(member: MemberId, text: string, address: Address): void {
    const parsed = parseReason(text);
    if (parsed === null) return;
    this.#options.log.debug({ member, address, ...parsed }, "the peer refused the link");
    this.#peers.get(member)?.rejected(parsed);
  }

  #accept(socket: WebSocket, member: MemberId, remote: Address): void {
    if (this.#closed) {
      socket.terminate();
      return;
    }
    this.#session({ socket, peer: member, ring: null, address: remote, onEarlyEnd: () => {}, onSettled: () => {} });
  }

  #session(from: {
    readonly socket: WebSocket;
    readonly peer: MemberId;
    readonly ring: number | null;
    readonly address: Address;
    readonly onEarlyEnd: () => void;
    readonly onSettled: () => void;
  }): Session {
    const { cluster, self, boot, now } = this.#options;
    const pending = { end: () => from.socket.terminate() };
    this.#pending.add(pending);
    const handlers: Pick<SessionOptions, "onHello" | "onUp" | "onFrame" | "onDrain" | "onEnd"> = {
      onHello: () => this.#admits(session, from.peer),
      onUp: () => {
        this.#pending.delete(pending);
        from.onSettled();
        if (this.#closed) session.abandon();
        else this.#peer(from.peer).adopt(session);
      },
      onFrame: (bytes) => this.#onFrame(session, from.peer, bytes),
      onDrain: () => this.#peers.get(from.peer)?.pump(),
      onEnd: (end) => {
        this.#pending.delete(pending);
        if (end.refusal !== null) this.#refusals.note(end.refusal.code, end.refusal.reason, { member: from.peer, remote: from.address });
        this.#peers.get(from.peer)?.ended(session, end);
        from.onEarlyEnd();
      },
    };
    const { socket, peer, ring, address } = from;
    const session: Session = new Session({ socket, cluster, self, peer, boot, ring, address, now, ...handlers });
    return session;
  }

  #admits(session: Session, member: MemberId): boolean {
    const admission = member === this.#options.self ? notMyself() : this.#options.admit(member);
    if (admission.kind === "admitted") return true;
    session.refuse(admission.code, admission.reason);
    return false;
  }

  #onFrame(session: Session, from: MemberId, bytes: Uint8Array): void {
    const decoded = this.#options.codec.decode(from, bytes);
    switch (decoded.kind) {
      case "message":
        this.#options.onMessage(from, decoded.message);
        return;
      case "unknown":
        this.#options.log.debug({ member: from, messageKind: decoded.name }, "a message of unknown kind is ignored");
        return;
      case "refused":
        session.refuse(LINK_CODES[decoded.code], decoded.reason);
        return;
      case "undecodable":
        // Acknowledging it would promise what this version cannot keep.
        this.#options.onFatal(decoded.error);
        return;
    }
  }

  send(to: MemberId, message: M): void {
    const peer = this.#peers.get(to);
    if (peer === undefined || !peer.isUp) return;
    peer.send(this.#options.codec.encode(to, message));
  }

  recheck(): void {
    for (const peer of this.#peers.values()) {
      for (const session of peer.sessions()) this.#admits(session, peer.member);
    }
  }

  setTls(tls: TlsIdentity): void {
    this.#tls = tls;
    this.#context = clientContext(tls);
    for (const server of this.#servers) server.setSecureContext(serverTls(tls));
  }

  stats(): TransportStats {
    return { peers: [...this.#peers.values()].map((peer) => peer.stats()), refusals: { ...this.#refusals.counts } };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const peer of this.#peers.values()) peer.close("the daemon stops");
    for (const pending of this.#pending) pending.end();
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
            const timer = setTimeout(() => server.closeAllConnections(), 200);
            server.once("close", () => clearTimeout(timer));
          }),
      ),
    );
  }
}

const LINK_CODES = {
  FRAME_TOO_LARGE: "LINK_FRAME_TOO_LARGE",
  FRAME_DAMAGED: "LINK_GARBAGE",
  FRAME_MALFORMED: "LINK_GARBAGE",
  FRAME_VERSION: "LINK_VERSION",
  FRAME_OTHER_CLUSTER: "LINK_OTHER_CLUSTER",
  FRAME_OTHER_MEMBER: "LINK_OTHER_MEMBER",
} as const satisfies Record<string, LinkRefusal>;

const notMyself = () => ({ kind: "refused", code: "LINK_OTHER_MEMBER", reason: "this is the member's own certificate" }) as const;

function clientContext(tls: TlsIdentity): SecureContext {
  return createSecureContext({ cert: tls.certificatePem, key: tls.privateKeyPem, ca: tls.authorityPem, minVersion: "TLSv1.3" });
}

async function listenOn(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  invariant(address !== null && typeof address === "object", "a listening server has an address");
  return (address satisfies AddressInfo).port;
}
