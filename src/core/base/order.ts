/** Code-unit order: the same on every machine, unlike `localeCompare`. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Entries of a map in code-unit order of their keys, for output that must not depend on insertion history. */
export function sortedEntries<V>(map: Iterable<readonly [string, V]>): (readonly [string, V])[] {
  return [...map].sort((a, b) => compareText(a[0], b[0]));
}
