/** A seeded generator: the same seed gives the same numbers on every machine. */
export interface Random {
  /** An integer in [0, 2^32). */
  nextUint32(): number;
  /** An integer in [0, bound); `bound` is at most 2^32. */
  below(bound: number): number;
  /** A number in [0, 1). */
  fraction(): number;
}

/** Mulberry-style 32-bit mixer over a Weyl sequence; good enough for timers and for drawing simulated faults. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const nextUint32 = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return mixed >>> 0;
  };
  return {
    nextUint32,
    below: (bound) => Math.floor((nextUint32() / 2 ** 32) * bound),
    fraction: () => nextUint32() / 2 ** 32,
  };
}
