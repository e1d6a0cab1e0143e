/** Meanings of OCF exit codes (OCF 1.1: exit codes; Pacemaker Explained: OCF result codes). */
const RC_MEANINGS: Readonly<Record<number, string>> = {
  0: "ok",
  1: "error",
  2: "invalid parameter",
  3: "unimplemented",
  4: "insufficient privileges",
  5: "not installed",
  6: "not configured",
  7: "not running",
  8: "promoted",
  9: "promoted failed",
  189: "unknown",
  190: "degraded",
  191: "promoted degraded",
  193: "unknown",
};

/** An exit code in the words of the operator. */
export function rcMeaning(rc: number): string {
  return RC_MEANINGS[rc] ?? `code ${rc}`;
}
