/** CLOCK_MONOTONIC in milliseconds: the same number in daemon and guardian, so deadlines need no translation. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
