/** CLOCK_MONOTONIC in milliseconds: the same number in daemon and guardian, so deadlines need no translation. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The guardian's socket of the node that lives in `directory`, unless its configuration names another run directory. */
export function guardianSocketPath(directory: string): string {
  return `${directory}/run/guardian.sock`;
}
