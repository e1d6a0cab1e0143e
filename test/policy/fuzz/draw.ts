import { type Random, seededRandom } from "../../../src/core/base/index.ts";
import { type Element, element } from "../../../src/core/cib/index.ts";

/** Draws for generated CIBs: everything comes from one seed. */
export class Draw {
  private readonly random: Random;
  private readonly namespace: string;
  private ids = 0;

  /** `namespace` begins every id, where two of these draw for one CIB. */
  constructor(seed: number, namespace = "") {
    this.random = seededRandom(seed);
    this.namespace = namespace;
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.random.below(high - low + 1);
  }

  /** True in `percent` of draws. */
  chance(percent: number): boolean {
    return this.random.fraction() * 100 < percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)]!;
  }

  /** A score such as people write. */
  score(): string {
    return this.pick(["INFINITY", "-INFINITY", "100", "50", "10", "1", "-5", "-100", "500", "1000", "7"]);
  }

  id(prefix: string): string {
    this.ids++;
    return `${this.namespace}${prefix}-${this.ids}`;
  }

  /** A block of pairs. */
  block(kind: string, pairs: Readonly<Record<string, string>>, extra: readonly Element[] = []): Element {
    const id = this.id(kind.slice(0, 4));
    const children = Object.entries(pairs).map(([name, value]) => element("nvpair", { id: this.id(id), name, value }));
    return element(kind, { id }, [...extra, ...children]);
  }
}

/** The fixed time of every generated CIB. */
export const NOW_SEC = 1_700_000_000;
