import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { MemberId } from "../../core/base/index.ts";
import type { Log } from "../../core/ports/index.ts";
import type { ClusterId, FrameCodec, PeerName } from "../wire/index.ts";

/** Certificates of this end, PEM. `authorityPem` holds every accepted cluster CA, one after the other. */
export type TlsIdentity = {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string;
};

/** `host:port`; IPv6 hosts in brackets. Index in a member's list = ring: rings of two members meet by that index. */
export type Address = string;

export type Peer = { readonly member: MemberId; readonly addresses: readonly Address[] };

/** Why a member may not have a link. */
export type Admission = { readonly kind: "admitted" } | { readonly kind: "refused"; readonly code: LinkRefusal; readonly reason: string };

export type LinkRefusal =
  | "LINK_NO_CERTIFICATE"
  | "LINK_FOREIGN_CERTIFICATE"
  | "LINK_OTHER_CLUSTER"
  | "LINK_OTHER_MEMBER"
  | "LINK_NOT_A_MEMBER"
  | "LINK_REMOVED"
  | "LINK_VERSION"
  | "LINK_FRAME_TOO_LARGE"
  | "LINK_GARBAGE"
  | "LINK_HELLO_TIMEOUT"
  | "LINK_BUSY"
  | "LINK_UNKNOWN_PATH";

export type LinkEvent =
  /** The first path to the member is up. `boot` grows with every start of its daemon. */
  | { readonly kind: "up"; readonly member: MemberId; readonly boot: number; readonly address: Address }
  /** The last path is down. `hostAnswers`: the peer's kernel closed it in order (its process ended, not its host). */
  | { readonly kind: "down"; readonly member: MemberId; readonly cause: "closed" | "silent" | "error"; readonly hostAnswers: boolean }
  /** A connection was refused by the peer's kernel: its host answers, its daemon is gone (RAFT.md §7, node loss). */
  | { readonly kind: "gone"; readonly member: MemberId; readonly address: Address }
  /** Messages moved from one ring to another. */
  | { readonly kind: "moved"; readonly member: MemberId; readonly address: Address }
  /** The peer closed our link with a refusal, for example because we were removed. */
  | { readonly kind: "rejected"; readonly member: MemberId; readonly code: LinkRefusal; readonly reason: string };

export type PathStats = {
  readonly address: Address;
  readonly ring: number;
  readonly state: "down" | "connecting" | "up";
  readonly active: boolean;
  /** Milliseconds since anything was received on it; null before the first byte. */
  readonly silentMs: number | null;
};

export type PeerStats = {
  readonly member: MemberId;
  readonly paths: readonly PathStats[];
  readonly queuedBytes: number;
  readonly droppedMessages: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly contactAgeMs: number | null;
};

export type TransportStats = { readonly peers: readonly PeerStats[]; readonly refusals: Readonly<Partial<Record<LinkRefusal, number>>> };

/** Another service on the same TLS port, by the first segment of the request path ("/api", "/join"). */
export type Mount = {
  readonly path: string;
  /** `required`: only holders of a certificate of this cluster get in; others see 403 and one log line. */
  readonly certificate: "required" | "optional";
  /** Plain HTTP requests; absent: 404. The handler bounds the body itself. */
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse, peer: PeerName | null) => void;
  /** WebSocket connections; absent: 404. */
  readonly onWebSocket?: (socket: WebSocket, peer: PeerName | null) => void;
  /** For `onWebSocket`, bytes; default FRAME_BYTES_MAX. */
  readonly maxPayloadBytes?: number;
};

export type TransportOptions<M> = {
  readonly cluster: ClusterId;
  readonly self: MemberId;
  /** This start's number, see `Loaded.boot`. */
  readonly boot: number;
  readonly tls: TlsIdentity;
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly codec: FrameCodec<M>;
  readonly onMessage: (from: MemberId, message: M) => void;
  /** An append that cannot be understood: the daemon must stop before it acknowledges it (STYLE.md §6). */
  readonly onFatal: (error: Error) => void;
  readonly onLink: (event: LinkEvent) => void;
  /** Asked for every authenticated member, at hello and again on `recheck`. */
  readonly admit: (member: MemberId) => Admission;
  readonly mounts?: readonly Mount[];
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** For the jitter of reconnects. */
  readonly seed: number;
};

export interface Transport<M> {
  /** Ports actually bound, in the order of `listen` (a port 0 is drawn by the kernel). */
  readonly listening: readonly { readonly host: string; readonly port: number }[];
  /** The whole list of peers; links to others are closed, changed addresses redialled. Own id is skipped. */
  setPeers(peers: readonly Peer[]): void;
  /** Queues a message; without a link it is dropped (Raft repairs). Never throws for a slow or absent peer. */
  send(to: MemberId, message: M): void;
  /** Closes links whose member `admit` no longer accepts. */
  recheck(): void;
  /** Takes a renewed certificate for new connections; links that are up stay. */
  setTls(tls: TlsIdentity): void;
  stats(): TransportStats;
  close(): Promise<void>;
}
