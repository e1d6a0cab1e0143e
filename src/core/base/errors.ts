/** A defect: a rule that the program itself must keep was broken. It stops the node (the guardian then decides). */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * An operating fault (disk, socket, bad bytes, wrong input): `detail.code` is stable and listed in `docs/errors.md`.
 * Thrown by `io` rooms, and by readers of user text in `core`; expected outcomes are values instead.
 */
export class QuorateError<Detail extends { readonly code: string } = { readonly code: string }> extends Error {
  override readonly name: string = "QuorateError";
  readonly detail: Detail;
  constructor(message: string, detail: Detail, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.detail = detail;
  }
}

/** Throws `InvariantError` unless `condition` holds. Stays on in production. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends an exhaustive `switch`: a new member of the union fails to compile until each place has decided. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
