// The library's dependency injection reads decorators' metadata; this must come first.
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type GeneralNameType,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  X509Certificate as SignedCertificate,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { type ClusterId, formatPeerUri } from "../wire/index.ts";
import { PkiError } from "./errors.ts";
import { AUTHORITY_LIFE_MS, CERTIFICATE_LIFE_MS, CLOCK_ALLOWANCE_MS } from "./limits.ts";
import type { Authority, CertificateRequest } from "./types.ts";

const HOSTS_MAX = 16;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

type Keys = { readonly privateKey: webcrypto.CryptoKey; readonly publicKey: webcrypto.CryptoKey };

async function generateKeys(): Promise<Keys> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as Keys;
}

async function keyToPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function keyFromPem(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = PemConverter.decode(pem);
  if (der === undefined) throw new PkiError("this is no private key", { code: "PKI_MISMATCH" });
  return webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
}

const serialNumber = (): string => {
  const bytes = randomBytes(16);
  // Positive and without leading zero octet, as DER wants it.
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
};

/** Makes the authority of a new cluster: a self-signed ECDSA P-256 certificate that may sign no further authorities. */
export async function createAuthority(options: {
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly nowMs: number;
}): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: [{ O: [options.clusterName] }, { CN: [`Quorate cluster ${options.cluster}`] }],
      notBefore: new Date(options.nowMs - CLOCK_ALLOWANCE_MS),
      notAfter: new Date(options.nowMs + AUTHORITY_LIFE_MS),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto,
  );
  return { certificatePem: certificate.toString("pem"), privateKeyPem: await keyToPem(keys.privateKey) };
}

/** A key of one's own and a request for a certificate over it; the key never leaves the node that made it. */
export async function createRequest(label: string): Promise<{ readonly requestPem: string; readonly privateKeyPem: string }> {
  const keys = await generateKeys();
  const request = await Pkcs10CertificateRequestGenerator.create({ name: [{ CN: [label] }], keys, signingAlgorithm: ALGORITHM }, webcrypto);
  return { requestPem: request.toString("pem"), privateKeyPem: await keyToPem(keys.privateKey) };
}

/**
 * Signs a member's or operator's certificate. Nothing is taken from the request but its key: name, hosts and life are
 * the cluster's decision. Throws `PKI_BAD_REQUEST`.
 */
export async function issueCertificate(authority: Authority, request: CertificateRequest): Promise<string> {
  const publicKey = await requestedKey(request.requestPem);
  if (request.hosts.length > HOSTS_MAX) throw new PkiError(`at most ${HOSTS_MAX} hosts in a certificate`, { code: "PKI_BAD_REQUEST" });
  const issuer = new SignedCertificate(authority.certificatePem);
  const names: JsonGeneralName[] = [
    { type: "url", value: formatPeerUri(request.name) },
    ...request.hosts.map((host) => ({ type: (isIP(host) === 0 ? "dns" : "ip") as GeneralNameType, value: host })),
  ];
  const usages =
    request.name.kind === "member" ? [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth] : [ExtendedKeyUsage.clientAuth];
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: [{ CN: [request.label] }],
      issuer: issuer.subject,
      notBefore: new Date(request.nowMs - CLOCK_ALLOWANCE_MS),
      notAfter: new Date(request.nowMs + (request.lifeMs ?? CERTIFICATE_LIFE_MS)),
      publicKey,
      signingKey: await keyFromPem(authority.privateKeyPem),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(usages),
        new SubjectAlternativeNameExtension(names),
      ],
    },
    webcrypto,
  );
  return certificate.toString("pem");
}

async function requestedKey(requestPem: string) {
  try {
    const request = new Pkcs10CertificateRequest(requestPem);
    if (await request.verify(webcrypto)) return request.publicKey;
  } catch (cause) {
    throw new PkiError("the certificate request cannot be read", { code: "PKI_BAD_REQUEST" }, cause);
  }
  throw new PkiError("the certificate request is not signed by its own key", { code: "PKI_BAD_REQUEST" });
}
