import { QuorateError } from "../base/index.ts";
import { hideSecrets, SECRET_NAMES } from "./secrets.ts";

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
  /** That line, continuations joined, where `column` counts in it. */
  readonly source: string | null;
};

/** What a person typed cannot be taken. The message says what was expected; `detail` says where. */
export class CrmError extends QuorateError<CrmErrorDetail> {
  override readonly name = "CrmError";
  constructor(code: CrmErrorCode, message: string, place: Partial<Omit<CrmErrorDetail, "code">> = {}) {
    super(message, {
      code,
      column: place.column ?? null,
      near: place.near ?? null,
      line: place.line ?? null,
      source: place.source ?? null,
    });
  }
}

/** The same error, carrying the line of the text it came from. */
export function atLine(error: CrmError, line: number, source: string | null = null): CrmError {
  const { code, column, near } = error.detail;
  return new CrmError(code, error.message, { column, near, line: error.detail.line ?? line, source: error.detail.source ?? source });
}

/**
 * The error as a person reads it: the reason, then the line with a mark under the token. At most 200 characters of the line,
 * and no value of a name in `hidden`.
 */
export function explainError(error: CrmError, typed: string, hidden: readonly string[] = SECRET_NAMES): readonly string[] {
  const { column, line } = error.detail;
  const source = line === null ? typed : (error.detail.source ?? "");
  const flat = hideSecrets(source.replaceAll("\t", " ").replaceAll("\n", " "), hidden, column ?? 1);
  const near = error.detail.near === null || flat.isInside ? null : hideSecrets(error.detail.near, hidden).text;
  const where = column === null || near === null ? "" : near === "" ? " at the end of the line" : ` near '${near}'`;
  const lines = [`${line === null ? "" : `line ${line}: `}${error.message}${where}`];
  if (column === null || source === "") return lines;
  const from = Math.max(0, flat.column - 1 - 150);
  lines.push(`  ${flat.text.slice(from, from + 200)}`, `  ${" ".repeat(Math.max(0, flat.column - 1 - from))}^`);
  return lines;
}
