import { type MemberId, memberId } from "../../core/base/index.ts";

/** Sixteen lower-case hexadecimal digits, drawn at `cluster init`; every frame, store and certificate carries it. */
export type ClusterId = string;

const CLUSTER_ID = /^[0-9a-f]{16}$/;
const PEER_URI = /^quorate:\/\/([0-9a-f]{16})\/(?:([1-9][0-9]{0,15})|operator\/([A-Za-z0-9._-]{1,64}))$/;

/** True for text that has the form of a cluster id. */
export function isClusterId(text: string): boolean {
  return CLUSTER_ID.test(text);
}

/** Who holds a certificate of the cluster: a member, or a person (who may use the API but never speaks Raft). */
export type PeerName =
  | { readonly kind: "member"; readonly cluster: ClusterId; readonly member: MemberId }
  | { readonly kind: "operator"; readonly cluster: ClusterId; readonly operator: string };

/** The URI in a certificate's subject alternative name that says whose it is. */
export function formatPeerUri(name: PeerName): string {
  return name.kind === "member" ? `quorate://${name.cluster}/${name.member}` : `quorate://${name.cluster}/operator/${name.operator}`;
}

/** Reads such a URI; null for anything else. */
export function parsePeerUri(uri: string): PeerName | null {
  const match = PEER_URI.exec(uri);
  if (match === null) return null;
  const [, cluster, member, operator] = match;
  if (cluster === undefined) return null;
  if (operator !== undefined) return { kind: "operator", cluster, operator };
  const number = Number(member);
  return Number.isSafeInteger(number) && number > 0 ? { kind: "member", cluster, member: memberId(number) } : null;
}

/**
 * Reads the peer's name from the `subjectAltName` text that Node's `crypto.X509Certificate` gives. Null unless there
 * is exactly one URI of ours: two names in one certificate would let its holder choose.
 */
export function peerNameOf(subjectAltName: string | undefined): PeerName | null {
  const uris = (subjectAltName ?? "").split(", ").filter((part) => part.startsWith("URI:quorate://"));
  return uris.length === 1 ? parsePeerUri(uris[0]!.slice("URI:".length)) : null;
}
