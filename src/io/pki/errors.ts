import { QuorateError } from "../../core/base/index.ts";

export type PkiErrorCode =
  /** A file of the identity is missing or cannot be read. */
  | "PKI_MISSING"
  /** A key file can be read by others than its owner. */
  | "PKI_KEY_EXPOSED"
  /** Certificate, key and authority do not belong together, or something is no certificate at all. */
  | "PKI_MISMATCH"
  /** The request is malformed or its signature does not hold. */
  | "PKI_BAD_REQUEST";

/** Keys or certificates are not as they must be. */
export class PkiError extends QuorateError<{ readonly code: PkiErrorCode; readonly path?: string }> {
  override readonly name = "PkiError";
}
