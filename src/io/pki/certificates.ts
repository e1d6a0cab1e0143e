import { X509Certificate } from "node:crypto";
import { type ClusterId, type PeerName, peerNameOf } from "../wire/index.ts";
import { PkiError } from "./errors.ts";
import type { Authority, CertificateRequest } from "./types.ts";

/**
 * The library that makes certificates takes a third of a daemon's start, and most starts make none: a daemon that was
 * killed must be back before anybody takes its node for lost.
 */
const signing = () => import("./signing.ts");

/** Makes the authority of a new cluster: a self-signed ECDSA P-256 certificate that may sign no further authorities. */
export async function createAuthority(options: {
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly nowMs: number;
}): Promise<Authority> {
  return (await signing()).createAuthority(options);
}

/** A key of one's own and a request for a certificate over it; the key never leaves the node that made it. */
export async function createRequest(label: string): Promise<{ readonly requestPem: string; readonly privateKeyPem: string }> {
  return (await signing()).createRequest(label);
}

/**
 * Signs a member's or operator's certificate. Nothing is taken from the request but its key: name, hosts and life are
 * the cluster's decision. Throws `PKI_BAD_REQUEST`.
 */
export async function issueCertificate(authority: Authority, request: CertificateRequest): Promise<string> {
  return (await signing()).issueCertificate(authority, request);
}

/** What a certificate says, as far as we care. */
export type CertificateFacts = {
  readonly name: PeerName | null;
  readonly label: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** Reads a PEM certificate. Throws `PKI_MISMATCH` for anything else. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = parse(pem);
  return {
    name: peerNameOf(certificate.subjectAltName),
    label: certificate.subject.replace(/^.*CN=/s, ""),
    serial: certificate.serialNumber.toLowerCase(),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
  };
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new PkiError("this is no certificate", { code: "PKI_MISMATCH" }, cause);
  }
}

/** True from two thirds of the certificate's life on (issue: certificates renew themselves). */
export function needsRenewal(certificatePem: string, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = readCertificate(certificatePem);
  return nowMs >= notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;
}

/** SHA-256 of a certificate's DER, lower-case hex: what a token pins. */
export function certificateHash(pem: string): string {
  return parse(pem).fingerprint256.replaceAll(":", "").toLowerCase();
}

/** Was `certificatePem` signed by one of the authorities in `authorityPem`? Expired is refused too. */
export function isIssuedBy(certificatePem: string, authorityPem: string, nowMs: number): boolean {
  const certificate = parse(certificatePem);
  const inTime = nowMs >= Date.parse(certificate.validFrom) && nowMs <= Date.parse(certificate.validTo);
  const authorities = authorityPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return inTime && authorities.some((pem) => certificate.verify(parse(pem).publicKey));
}
