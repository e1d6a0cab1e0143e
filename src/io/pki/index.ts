export type { Authority, CertificateRequest, JoinToken, NodeIdentity, ParsedToken, TokenRecord, TokenVerdict } from "./types.ts";
