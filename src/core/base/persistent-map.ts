import { compareText } from "./order.ts";

type Node<V> = {
  readonly key: string;
  readonly value: V;
  readonly level: number;
  readonly size: number;
  readonly left: Node<V> | null;
  readonly right: Node<V> | null;
};

/**
 * An immutable map from text to values, walked in code-unit order of its keys. `set` and `delete` share all but
 * O(log n) of the tree with the map they came from. An AA tree (Andersson 1993): its shape depends on the history of
 * edits, its walk never does.
 */
export class PersistentMap<V> implements Iterable<readonly [string, V]> {
  readonly #root: Node<V> | null;
  private constructor(root: Node<V> | null) {
    this.#root = root;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(null);
  }

  static from<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    let root: Node<V> | null = null;
    for (const [key, value] of entries) root = insert(root, key, value);
    return new PersistentMap(root);
  }

  get size(): number {
    return this.#root?.size ?? 0;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node !== null) {
      const order = compareText(key, node.key);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  has(key: string): boolean {
    let node = this.#root;
    while (node !== null) {
      const order = compareText(key, node.key);
      if (order === 0) return true;
      node = order < 0 ? node.left : node.right;
    }
    return false;
  }

  set(key: string, value: V): PersistentMap<V> {
    return new PersistentMap(insert(this.#root, key, value));
  }

  delete(key: string): PersistentMap<V> {
    return this.has(key) ? new PersistentMap(remove(this.#root, key)) : this;
  }

  [Symbol.iterator](): IterableIterator<readonly [string, V]> {
    return new Walk(this.#root, pairOf<V>);
  }

  keys(): IterableIterator<string> {
    return new Walk(this.#root, keyOf);
  }

  values(): IterableIterator<V> {
    return new Walk(this.#root, entryOf<V>);
  }
}

const pairOf = <V>(node: Node<V>): readonly [string, V] => [node.key, node.value];
const keyOf = (node: Node<unknown>): string => node.key;
const entryOf = <V>(node: Node<V>): V => node.value;

/** A walk in order. By hand: states are walked after every event of a node, and generators within generators cost several times as much. */
class Walk<V, T> implements IterableIterator<T> {
  readonly #path: Node<V>[] = [];
  readonly #show: (node: Node<V>) => T;

  constructor(root: Node<V> | null, show: (node: Node<V>) => T) {
    this.#show = show;
    this.#descend(root);
  }

  #descend(from: Node<V> | null): void {
    for (let node = from; node !== null; node = node.left) this.#path.push(node);
  }

  next(): IteratorResult<T, undefined> {
    const node = this.#path.pop();
    if (node === undefined) return { done: true, value: undefined };
    this.#descend(node.right);
    return { done: false, value: this.#show(node) };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

function make<V>(from: { key: string; value: V; level: number }, left: Node<V> | null, right: Node<V> | null): Node<V> {
  const size = 1 + (left?.size ?? 0) + (right?.size ?? 0);
  return { key: from.key, value: from.value, level: from.level, size, left, right };
}

function skew<V>(node: Node<V>): Node<V> {
  const left = node.left;
  if (left === null || left.level !== node.level) return node;
  return make(left, left.left, make(node, left.right, node.right));
}

function split<V>(node: Node<V>): Node<V> {
  const right = node.right;
  if (right === null || right.right === null || right.right.level !== node.level) return node;
  return make({ ...right, level: right.level + 1 }, make(node, node.left, right.left), right.right);
}

function insert<V>(node: Node<V> | null, key: string, value: V): Node<V> {
  if (node === null) return { key, value, level: 1, size: 1, left: null, right: null };
  const order = compareText(key, node.key);
  if (order === 0) return make({ key, value, level: node.level }, node.left, node.right);
  const next = order < 0 ? make(node, insert(node.left, key, value), node.right) : make(node, node.left, insert(node.right, key, value));
  return split(skew(next));
}

function remove<V>(node: Node<V> | null, key: string): Node<V> | null {
  if (node === null) return null;
  const order = compareText(key, node.key);
  if (order < 0) return rebalance(make(node, remove(node.left, key), node.right));
  if (order > 0) return rebalance(make(node, node.left, remove(node.right, key)));
  if (node.left === null) return node.right;
  if (node.right === null) return node.left;
  let next = node.right;
  while (next.left !== null) next = next.left;
  return rebalance(make({ key: next.key, value: next.value, level: node.level }, node.left, remove(node.right, next.key)));
}

function rebalance<V>(node: Node<V>): Node<V> {
  const wanted = Math.min(node.left?.level ?? 0, node.right?.level ?? 0) + 1;
  if (wanted >= node.level && (node.right?.level ?? 0) <= node.level) return split(skew(node));
  const level = Math.min(wanted, node.level);
  const right =
    node.right !== null && node.right.level > level ? make({ ...node.right, level }, node.right.left, node.right.right) : node.right;
  let top = skew(make({ key: node.key, value: node.value, level }, node.left, right));
  if (top.right !== null) {
    let lower = skew(top.right);
    if (lower.right !== null) lower = make(lower, lower.left, skew(lower.right));
    top = make(top, top.left, lower);
  }
  top = split(top);
  return top.right === null ? top : make(top, top.left, split(top.right));
}
