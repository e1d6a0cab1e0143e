import type { MemberId } from "../../core/base/index.ts";
import type { ClusterId, PeerName } from "../wire/index.ts";

/** The cluster's certificate authority. Only voters hold the key; it travels over mutually authenticated TLS alone. */
export type Authority = { readonly certificatePem: string; readonly privateKeyPem: string };

/** Everything that lets a node speak: what `saveIdentity` keeps in a directory, keys with mode 0600. */
export type NodeIdentity = {
  readonly cluster: ClusterId;
  readonly member: MemberId;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string;
  /** Null on members without votes. */
  readonly authorityKeyPem: string | null;
};

export type CertificateRequest = {
  /** PEM of a PKCS#10 request; its signature proves that the asker holds the key. Names in it are ignored. */
  readonly requestPem: string;
  readonly name: PeerName;
  /** Node or operator name, shown to people (common name). */
  readonly label: string;
  /** IP addresses and DNS names, without ports. */
  readonly hosts: readonly string[];
  readonly nowMs: number;
  /** Default `CERTIFICATE_LIFE_MS`. */
  readonly lifeMs?: number;
};

/** What a join token says. The secret is known to nobody but its holder; the cluster keeps `tokenHash`. */
export type JoinToken = {
  readonly cluster: ClusterId;
  /** SHA-256 of the CA certificate (DER), lower-case hex: pins whom the joining node talks to. */
  readonly authorityHash: string;
  /** 32 random bytes, lower-case hex. */
  readonly secret: string;
};

export type ParsedToken = { readonly kind: "token"; readonly token: JoinToken } | { readonly kind: "malformed"; readonly reason: string };
