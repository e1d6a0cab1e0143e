import { createHash, randomBytes } from "node:crypto";
import { type ClusterId, crc32c, isClusterId } from "../wire/index.ts";
import { certificateHash } from "./certificates.ts";
import type { JoinToken, ParsedToken } from "./types.ts";

const PREFIX = "q1.";
const CLUSTER_BYTES = 8;
const HASH_BYTES = 32;
const SECRET_BYTES = 32;
const CHECK_BYTES = 4;
const TOKEN_BYTES = CLUSTER_BYTES + HASH_BYTES + SECRET_BYTES + CHECK_BYTES;
/** How long a token is good for unless the operator says otherwise, milliseconds. */
export const TOKEN_LIFE_MS = 3_600_000;

/** SHA-256 of a token's secret, lower-case hex: its name in the replicated state. */
export function tokenHash(token: JoinToken): string {
  return createHash("sha256").update(Buffer.from(token.secret, "hex")).digest("hex");
}

/**
 * Draws a join token: `q1.` and base64url of cluster id, SHA-256 of the CA certificate, secret and a checksum against
 * typing errors. The text is for the operator alone; what is kept is its hash.
 */
export function makeToken(
  cluster: ClusterId,
  authorityPem: string,
): { readonly text: string; readonly token: JoinToken; readonly hash: string } {
  const token = { cluster, authorityHash: certificateHash(authorityPem), secret: randomBytes(SECRET_BYTES).toString("hex") };
  return { text: formatToken(token), token, hash: tokenHash(token) };
}

export function formatToken(token: JoinToken): string {
  const body = Buffer.from(token.cluster + token.authorityHash + token.secret, "hex");
  const check = Buffer.alloc(CHECK_BYTES);
  check.writeUInt32BE(crc32c(body));
  return PREFIX + Buffer.concat([body, check]).toString("base64url");
}

/** Reads a token as it was typed or pasted; blanks around it do not matter. */
export function parseToken(text: string): ParsedToken {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) return { kind: "malformed", reason: `a join token begins with ${PREFIX}` };
  const encoded = trimmed.slice(PREFIX.length);
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) return { kind: "malformed", reason: "the token holds characters that no token has" };
  const bytes = Buffer.from(encoded, "base64url");
  if (bytes.length !== TOKEN_BYTES) return { kind: "malformed", reason: "the token is cut off or too long" };
  const body = bytes.subarray(0, TOKEN_BYTES - CHECK_BYTES);
  if (crc32c(body) !== bytes.readUInt32BE(TOKEN_BYTES - CHECK_BYTES)) return { kind: "malformed", reason: "the token has a typing error" };
  const cluster = body.subarray(0, CLUSTER_BYTES).toString("hex");
  if (!isClusterId(cluster)) return { kind: "malformed", reason: "the token names no cluster" };
  const authorityHash = body.subarray(CLUSTER_BYTES, CLUSTER_BYTES + HASH_BYTES).toString("hex");
  return { kind: "token", token: { cluster, authorityHash, secret: body.subarray(CLUSTER_BYTES + HASH_BYTES).toString("hex") } };
}
