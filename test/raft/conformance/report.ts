/** Verdict of one conformance case. */
export type Verdict =
  | { readonly id: string; readonly kind: "passed" }
  | { readonly id: string; readonly kind: "failed"; readonly reason: string }
  | { readonly id: string; readonly kind: "skipped"; readonly reason: string };

/** Text of a value in which the order of keys does not matter. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** A mismatch in words, or null. Only keys present in `expected` are compared, at every depth of objects. */
export function mismatch(expected: unknown, actual: unknown, path: string): string | null {
  if (expected !== null && typeof expected === "object" && !Array.isArray(expected)) {
    if (actual === null || typeof actual !== "object") return `${path}: expected ${canonical(expected)}, got ${canonical(actual)}`;
    for (const [key, value] of Object.entries(expected)) {
      const found = mismatch(value, (actual as Record<string, unknown>)[key], `${path}.${key}`);
      if (found !== null) return found;
    }
    return null;
  }
  return canonical(expected) === canonical(actual) ? null : `${path}: expected ${canonical(expected)}, got ${canonical(actual)}`;
}
