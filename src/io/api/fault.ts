import { QuorateError } from "../../core/base/index.ts";
import type { ApiError } from "../../core/ports/index.ts";

/** What an `ApiFault` carries besides its code: facts for the message, and whether to try the same request again. */
export type ApiFaultDetail = { readonly code: string; readonly facts?: unknown; readonly retryable: boolean };

/** A refusal or an operating fault that crosses the API unchanged: thrown by handlers, and by the client's `request`. */
export class ApiFault extends QuorateError<ApiFaultDetail> {
  override readonly name = "ApiFault";
  static of(error: ApiError): ApiFault {
    return new ApiFault(error.message, { code: error.code, facts: error.detail, retryable: error.retryable });
  }
}

/** A fault with its facts in one call: `throw fault("API_BUSY", "...", { retryable: true })`. */
export function fault(code: string, message: string, options: { readonly facts?: unknown; readonly retryable?: boolean } = {}): ApiFault {
  return new ApiFault(message, { code, facts: options.facts, retryable: options.retryable ?? false });
}

/** Any thrown value as the error of a response. A defect keeps its message but no stack: stacks are for the log. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiFault) {
    const { code, facts, retryable } = thrown.detail;
    return facts === undefined ? { code, message: thrown.message, retryable } : { code, message: thrown.message, detail: facts, retryable };
  }
  if (thrown instanceof QuorateError) {
    const { code, ...facts } = thrown.detail as { code: string };
    return Object.keys(facts).length === 0
      ? { code, message: thrown.message, retryable: false }
      : { code, message: thrown.message, detail: facts, retryable: false };
  }
  return { code: "API_INTERNAL", message: thrown instanceof Error ? thrown.message : String(thrown), retryable: false };
}
