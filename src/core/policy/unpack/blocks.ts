import { attributeOf, type Element } from "../../cib/index.ts";
import { type Clock, evaluateRule, type Lookup, type RuleContext } from "./rules.ts";
import { type HealthWords, parseScore } from "./values.ts";

/** An attribute block ready to be combined (status.md 3.1). */
export type Block = {
  readonly id: string | undefined;
  readonly score: number;
  readonly rule: Element | null;
  readonly pairs: readonly (readonly [name: string, value: string])[];
};

/**
 * The blocks of one kind under some elements, in order of precedence (status.md 3.2): higher score first, among equal
 * scores the one later in the document. `elements` are given in document order (a template before its user).
 */
export function blocksOf(owners: readonly Element[], kind: string, lookup: Lookup, words: HealthWords | null): readonly Block[] {
  let blocks: Block[] | null = null;
  for (const owner of owners) {
    for (const child of owner.children) {
      if (child.name !== kind) continue;
      const block = readBlock(child, lookup, words);
      if (block === null) continue;
      if (blocks === null) blocks = [block];
      else blocks.unshift(block);
    }
  }
  if (blocks === null) return NO_BLOCKS;
  return blocks.length < 2 ? blocks : blocks.sort((a, b) => b.score - a.score);
}

const NO_BLOCKS: readonly Block[] = [];

function readBlock(element: Element, lookup: Lookup, words: HealthWords | null): Block | null {
  const reference = attributeOf(element, "id-ref");
  const actual = reference === undefined ? element : lookup(reference);
  if (actual === undefined) return null;
  const pairs: [string, string][] = [];
  let rule: Element | null = null;
  for (const child of actual.children) {
    if (child.name === "rule") rule ??= child;
    else if (child.name === "nvpair") {
      const referred = attributeOf(child, "id-ref");
      const pair = referred === undefined ? child : lookup(referred);
      const name = attributeOf(child, "name") ?? (pair === undefined ? undefined : attributeOf(pair, "name"));
      const value = pair === undefined ? undefined : attributeOf(pair, "value");
      if (name !== undefined && value !== undefined) pairs.push([name, value]);
    }
  }
  return { id: attributeOf(actual, "id"), score: parseScore(attributeOf(actual, "score"), words) ?? 0, rule, pairs };
}

/** Combines blocks into `into`; names that have a value keep it (status.md 3.2.4–5). */
export function applyBlocks(blocks: readonly Block[], into: Map<string, string>, context: RuleContext, clock: Clock, lookup: Lookup): void {
  for (const block of blocks) {
    if (block.rule !== null && !evaluateRule(block.rule, context, clock, lookup)) continue;
    for (const [name, value] of block.pairs) {
      if (value.length === 8 && value.toLowerCase() === "#default") into.delete(name);
      else if (!into.has(name)) into.set(name, value);
    }
  }
}
