import { QuorateError } from "../base/index.ts";

/** Stable codes of everything the language refuses; listed in `docs/errors.md`. */
export type CrmErrorCode =
  | "CRM_SYNTAX"
  | "CRM_BAD_ID"
  | "CRM_BAD_VALUE"
  | "CRM_UNKNOWN_COMMAND"
  | "CRM_UNKNOWN_OBJECT"
  | "CRM_DUPLICATE_ID"
  | "CRM_ALREADY_CONTAINED"
  | "CRM_AMBIGUOUS"
  | "CRM_REFUSED"
  | "CRM_XML";

export type CrmErrorDetail = {
  readonly code: CrmErrorCode;
  /** 1-based position in the logical line, or null where the whole line is meant. */
  readonly column: number | null;
  /** The text at that position, empty at the end of the line. */
  readonly near: string | null;
  /** 1-based line of the text that was read, filled in where several lines are read. */
  readonly line: number | null;
};

/** What a person typed cannot be taken. The message says what was expected; `detail` says where. */
export class CrmError extends QuorateError<CrmErrorDetail> {
  override readonly name = "CrmError";
  constructor(code: CrmErrorCode, message: string, place: Partial<Omit<CrmErrorDetail, "code">> = {}) {
    super(message, { code, column: place.column ?? null, near: place.near ?? null, line: place.line ?? null });
  }
}

/** The same error, carrying the line of the text it came from. */
export function atLine(error: CrmError, line: number): CrmError {
  const { code, column, near } = error.detail;
  return new CrmError(code, error.message, { column, near, line: error.detail.line ?? line });
}

/** The error as a person reads it: the reason, then the line with a mark under the token. At most 200 characters of the line. */
export function explainError(error: CrmError, source: string): readonly string[] {
  const { column, near } = error.detail;
  const where = column === null || near === null ? "" : near === "" ? " at the end of the line" : ` near '${near}'`;
  const lines = [`${error.message}${where}`];
  if (column === null) return lines;
  const flat = source.replaceAll("\t", " ").replaceAll("\n", " ");
  const from = Math.max(0, column - 1 - 150);
  lines.push(`  ${flat.slice(from, from + 200)}`, `  ${" ".repeat(Math.max(0, column - 1 - from))}^`);
  return lines;
}
