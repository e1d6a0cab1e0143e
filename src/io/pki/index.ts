export {
  type CertificateFacts,
  certificateHash,
  createAuthority,
  createRequest,
  isIssuedBy,
  issueCertificate,
  needsRenewal,
  readCertificate,
} from "./certificates.ts";
export { PkiError, type PkiErrorCode } from "./errors.ts";
export { loadIdentity, saveIdentity } from "./identity.ts";
export { AUTHORITY_LIFE_MS, CERTIFICATE_LIFE_MS, CLOCK_ALLOWANCE_MS } from "./limits.ts";
export { formatToken, makeToken, parseToken, TOKEN_LIFE_MS, tokenHash } from "./tokens.ts";
export type { Authority, CertificateRequest, JoinToken, NodeIdentity, ParsedToken } from "./types.ts";
