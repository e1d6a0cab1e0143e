import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isIssuedBy, readCertificate } from "./certificates.ts";
import { PkiError } from "./errors.ts";
import type { NodeIdentity } from "./types.ts";

const FILES = { certificate: "node.crt", key: "node.key", authority: "ca.crt", authorityKey: "ca.key" } as const;

/**
 * Keeps an identity in a directory (0700): certificates 0644, keys 0600. Each file appears whole or not at all; the
 * certificate comes last, so that an interrupted renewal leaves the old pair or is seen as a mismatch, never a mix.
 */
export async function saveIdentity(directory: string, identity: NodeIdentity): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  await writeWhole(directory, FILES.authority, identity.authorityPem, 0o644);
  if (identity.authorityKeyPem === null) await rm(join(directory, FILES.authorityKey), { force: true });
  else await writeWhole(directory, FILES.authorityKey, identity.authorityKeyPem, 0o600);
  // Key and certificate in one file: two renames could be torn by a crash, one cannot.
  await writeWhole(directory, FILES.key, `${identity.privateKeyPem.trim()}\n${identity.certificatePem.trim()}\n`, 0o600);
  await writeWhole(directory, FILES.certificate, identity.certificatePem, 0o644);
}

async function writeWhole(directory: string, name: string, text: string, mode: number): Promise<void> {
  const temporary = join(directory, `.${name}.new`);
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", mode);
  try {
    await file.writeFile(text);
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, name));
  const parent = await open(directory, "r");
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

/** Reads an identity back; null when there is none. Throws `PKI_KEY_EXPOSED`, `PKI_MISSING` or `PKI_MISMATCH`, with the file. */
export async function loadIdentity(directory: string): Promise<NodeIdentity | null> {
  const path = (name: string): string => join(directory, name);
  const keyPath = path(FILES.key);
  const bundle = await readKey(keyPath);
  if (bundle === null) return null;
  const authorityPath = path(FILES.authority);
  const authorityPem = await readText(authorityPath);
  if (authorityPem === null)
    throw new PkiError(`the cluster's certificate ${authorityPath} is missing; every member holds the same`, {
      code: "PKI_MISSING",
      path: authorityPath,
    });
  const at = bundle.indexOf("-----BEGIN CERTIFICATE-----");
  if (at === -1) throw mismatch(keyPath, "holds no certificate behind the key");
  const privateKeyPem = bundle.slice(0, at);
  const certificatePem = bundle.slice(at);
  const { name, notBeforeMs } = understood(keyPath, "holds something that is no certificate", () => readCertificate(certificatePem));
  if (name === null || name.kind !== "member") throw mismatch(keyPath, "holds a certificate that names no member");
  if (!belongTogether(certificatePem, privateKeyPem)) throw mismatch(keyPath, "holds a certificate and a key that do not belong together");
  // Whether it has expired is for the daemon to say, which can ask for a new one: only who signed it counts here.
  const isOurs = understood(authorityPath, "holds something that is no certificate", () =>
    isIssuedBy(certificatePem, authorityPem, notBeforeMs),
  );
  if (!isOurs) throw mismatch(keyPath, `holds a certificate that the authority in ${authorityPath} has not signed`);
  const authorityKeyPem = await readKey(path(FILES.authorityKey));
  // Found out now, and not when the next node wants to join or the certificate is to be renewed.
  if (authorityKeyPem !== null && !belongTogether(authorityPem, authorityKeyPem))
    throw mismatch(path(FILES.authorityKey), `is not the key of ${authorityPath}; every member that votes holds the same`);
  return { cluster: name.cluster, member: name.member, certificatePem, privateKeyPem, authorityPem, authorityKeyPem };
}

function mismatch(path: string, what: string, cause?: unknown): PkiError {
  return new PkiError(`${path} ${what}`, { code: "PKI_MISMATCH", path }, cause);
}

/** What the libraries say of damaged bytes names no file. */
function understood<T>(path: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw mismatch(path, what, cause);
  }
}

function belongTogether(certificatePem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    // Bytes that are no key, or no certificate, belong to nothing.
    return false;
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw new PkiError(`${path} cannot be read`, { code: "PKI_MISSING", path }, cause);
  }
}

async function readKey(path: string): Promise<string | null> {
  const text = await readText(path);
  if (text === null) return null;
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new PkiError(`${path} can be read by others (mode ${(mode & 0o777).toString(8)}); it must be 0600`, {
      code: "PKI_KEY_EXPOSED",
      path,
    });
  }
  return text;
}
