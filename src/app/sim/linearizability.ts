/**
 * Linearizability of a key-value register (RAFT.md §12): Wing and Gong's search with Lowe's memo, one key at a time
 * (locality), and the cheaper check by log index. Used on histories from the simulator and from chaos runs.
 */
export type Value = string | null;

/** One operation of a client. Times need only be comparable; `returnAt` absent = nobody knows what became of it. */
export type Operation = {
  readonly client: string | number;
  readonly key: string;
  readonly callAt: number;
  readonly returnAt?: number;
  /** Position in the log, if the system told it. */
  readonly index?: number;
} & (
  | { readonly op: "read"; readonly result?: Value }
  | { readonly op: "write"; readonly value: string }
  | { readonly op: "delete" }
  | { readonly op: "cas"; readonly expect: Value; readonly value: string; readonly result?: boolean }
);

export type Verdict =
  | { readonly kind: "linearizable" }
  | {
      readonly kind: "violation";
      readonly key: string;
      /** The longest order that could be found, and the first operation that fits nowhere after it. */
      readonly prefix: readonly Operation[];
      readonly stuck: Operation;
    }
  /** The search was cut: never counts as a pass. */
  | { readonly kind: "unknown"; readonly key: string; readonly states: number };

/** States after which the search gives up. */
export const STATES_MAX = 2_000_000;

type Item = {
  readonly id: number;
  readonly operation: Operation;
  readonly isCall: boolean;
  match: Item | null;
  prev: Item | null;
  next: Item | null;
};

/** Checks each key alone. Operations that failed for certain must not be in the history. */
export function checkLinearizable(history: readonly Operation[], statesMax: number = STATES_MAX): Verdict {
  const keys = [...new Set(history.map((operation) => operation.key))].sort();
  for (const key of keys) {
    const verdict = checkKey(
      key,
      history.filter((operation) => operation.key === key),
      statesMax,
    );
    if (verdict.kind !== "linearizable") return verdict;
  }
  return { kind: "linearizable" };
}

/** The state after an operation, or undefined if its result cannot be. */
function applied(state: Value, operation: Operation): { readonly state: Value } | undefined {
  const known = operation.returnAt !== undefined;
  switch (operation.op) {
    case "read":
      return !known || (operation.result ?? null) === state ? { state } : undefined;
    case "write":
      return { state: operation.value };
    case "delete":
      return { state: null };
    case "cas": {
      const hit = operation.expect === state;
      if (known && operation.result !== hit) return undefined;
      return { state: hit ? operation.value : state };
    }
  }
}

/** Call and return entries by time; at equal times calls come first, so that touching operations count as concurrent. */
function linked(operations: readonly Operation[]): { readonly head: Item; readonly returns: number } {
  const events: { readonly at: number; readonly rank: number; readonly item: Item }[] = [];
  let returns = 0;
  for (const [id, operation] of operations.entries()) {
    const call: Item = { id, operation, isCall: true, match: null, prev: null, next: null };
    events.push({ at: operation.callAt, rank: 0, item: call });
    if (operation.returnAt === undefined) continue;
    const back: Item = { id, operation, isCall: false, match: call, prev: null, next: null };
    call.match = back;
    returns += 1;
    events.push({ at: operation.returnAt, rank: 1, item: back });
  }
  events.sort((a, b) => a.at - b.at || a.rank - b.rank || a.item.id - b.item.id);
  const head: Item = {
    id: -1,
    operation: { op: "delete", client: "", key: "", callAt: 0 },
    isCall: true,
    match: null,
    prev: null,
    next: null,
  };
  let last = head;
  for (const { item } of events) {
    last.next = item;
    item.prev = last;
    last = item;
  }
  return { head, returns };
}

function unlink(item: Item): void {
  if (item.prev !== null) item.prev.next = item.next;
  if (item.next !== null) item.next.prev = item.prev;
}

function relink(item: Item): void {
  if (item.prev !== null) item.prev.next = item;
  if (item.next !== null) item.next.prev = item;
}

function checkKey(key: string, all: readonly Operation[], statesMax: number): Verdict {
  // A read that nobody got an answer to says nothing.
  const operations = all.filter((operation) => operation.op !== "read" || operation.returnAt !== undefined);
  const { head, returns } = linked(operations);
  const seen = new Set<string>();
  const stack: { readonly item: Item; readonly state: Value }[] = [];
  let state: Value = null;
  let done = 0n;
  let open = returns;
  let best: readonly Operation[] = [];
  let stuck: Operation | null = null;
  let item = head.next;
  while (open > 0) {
    if (item?.isCall) {
      const after = applied(state, item.operation);
      const bits = done | (1n << BigInt(item.id));
      const memo = after === undefined ? "" : `${bits.toString(36)}|${after.state === null ? "-" : `=${after.state}`}`;
      if (after === undefined || seen.has(memo)) {
        item = item.next;
        continue;
      }
      if (seen.size >= statesMax) return { kind: "unknown", key, states: seen.size };
      seen.add(memo);
      stack.push({ item, state });
      state = after.state;
      done = bits;
      unlink(item);
      if (item.match !== null) {
        unlink(item.match);
        open -= 1;
      }
      item = head.next;
      continue;
    }
    // The earliest return is of an operation that could not be placed before it: go back.
    if (item !== null && (stuck === null || stack.length > best.length)) {
      best = stack.map((one) => one.item.operation);
      stuck = item.operation;
    }
    const top = stack.pop();
    if (top === undefined) return { kind: "violation", key, prefix: best, stuck: stuck as Operation };
    state = top.state;
    done &= ~(1n << BigInt(top.item.id));
    if (top.item.match !== null) {
      relink(top.item.match);
      open += 1;
    }
    relink(top.item);
    item = top.item.next;
  }
  return { kind: "linearizable" };
}

/**
 * The check by log index, where results carry it: replays in the order of the index, compares results, and requires
 * that order to respect real time (an operation that returned before another was called has a smaller index, for
 * reads a smaller or equal one). Returns the first offence in words, or null. Operations without an index are left out, so
 * every write that took effect must have one, also if its client never heard of it.
 */
export function checkByIndex(history: readonly Operation[]): string | null {
  const rank = (operation: Operation): number => (operation.op === "read" ? 1 : 0);
  const known = history
    .filter((operation) => operation.index !== undefined)
    .sort((a, b) => (a.index ?? 0) - (b.index ?? 0) || rank(a) - rank(b) || a.callAt - b.callAt);
  return replay(known) ?? realTime(known);
}

function replay(ordered: readonly Operation[]): string | null {
  const states = new Map<string, Value>();
  let lastWrite = -1;
  for (const operation of ordered) {
    if (operation.op !== "read" && operation.index === lastWrite) return `two writes share index ${operation.index}`;
    if (operation.op !== "read") lastWrite = operation.index ?? lastWrite;
    const before = states.get(operation.key) ?? null;
    const after = applied(before, operation);
    if (after === undefined) return `${describe(operation)} cannot follow ${JSON.stringify(before)}`;
    states.set(operation.key, after.state);
  }
  return null;
}

function realTime(ordered: readonly Operation[]): string | null {
  // Seen from the end: none of the later operations may have returned before an earlier one was called.
  let earliest: Operation | null = null;
  for (const operation of [...ordered].reverse()) {
    if (earliest !== null && endOf(earliest) < operation.callAt) {
      const equalReads = earliest.op === "read" && operation.op === "read" && earliest.index === operation.index;
      if (!equalReads) return `${describe(operation)} was called after ${describe(earliest)} had returned, yet comes before it`;
    }
    if (earliest === null || endOf(operation) < endOf(earliest)) earliest = operation;
  }
  return null;
}

function endOf(operation: Operation): number {
  return operation.returnAt ?? Number.POSITIVE_INFINITY;
}

export function describe(operation: Operation): string {
  const { client, key, op, index, callAt, returnAt } = operation;
  const what = op === "read" ? `= ${operation.result ?? null}` : op === "delete" ? "" : `:= ${operation.value}`;
  return `${op} ${key} ${what} by ${client} [${callAt}, ${returnAt ?? "?"}]${index === undefined ? "" : ` at ${index}`}`;
}
