/**
 * A stable sort that halves the list and merges. Comparing instances is not strictly transitive (assignment.md 10.5, 20.1): an
 * inactive one ties with one whose node is unavailable by some tests only. What comes out depends on which pairs are
 * compared then, and crm_simulate compares these.
 */
export function mergeSorted<T>(items: readonly T[], compare: (a: T, b: T) => number): T[] {
  if (items.length < 2) return [...items];
  const half = items.length >> 1;
  const left = mergeSorted(items.slice(0, half), compare);
  const right = mergeSorted(items.slice(half), compare);
  const merged: T[] = [];
  let at = 0;
  for (const item of left) {
    while (at < right.length && compare(item, right[at]!) > 0) merged.push(right[at++]!);
    merged.push(item);
  }
  return merged.concat(right.slice(at));
}
