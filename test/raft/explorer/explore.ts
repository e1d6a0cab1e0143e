import { memberId } from "../../../src/core/base/index.ts";
import { copyState, crash, feed, firstState, hashState, type Letter, own, persist, type Setup, type State, Violation } from "./model.ts";

export type Outcome = {
  readonly states: number;
  /** Longest path that was taken. */
  readonly depth: number;
  /** True if nothing reachable within the bounds was left out. */
  readonly complete: boolean;
  readonly violation: { readonly rule: string; readonly path: readonly string[] } | null;
};

type Move = { readonly name: string; readonly act: (state: State) => void };
type Place = { readonly state: State; readonly path: readonly string[] };

/** Walks breadth first through every order of events within the bounds, each state once. Stops at the first offence. */
export function explore(setup: Setup, maxStates: number): Outcome {
  const seen = new Set<string>();
  let frontier: Place[] = [begin(setup)];
  seen.add(hashState((frontier[0] as Place).state));
  let depth = 0;
  while (frontier.length > 0) {
    const next: Place[] = [];
    for (const place of frontier) {
      for (const move of moves(setup, place.state)) {
        if (seen.size >= maxStates) return { states: seen.size, depth, complete: false, violation: null };
        const path = [...place.path, move.name];
        const state = copyState(place.state);
        const rule = attempt(move, state);
        if (rule !== null) return { states: seen.size, depth: depth + 1, complete: false, violation: { rule, path } };
        prune(setup, state);
        const hash = hashState(state);
        if (seen.has(hash)) continue;
        seen.add(hash);
        next.push({ state, path });
      }
    }
    frontier = next;
    if (frontier.length > 0) depth += 1;
  }
  return { states: seen.size, depth, complete: true, violation: null };
}

function begin(setup: Setup): Place {
  const state = firstState(setup);
  for (const name of setup.prefix ?? []) {
    const move = moves(setup, state).find((one) => one.name === name);
    if (move === undefined) throw new Error(`no move ${name} among: ${moves(setup, state).map((one) => one.name)}`);
    move.act(state);
    prune(setup, state);
  }
  return { state, path: [...(setup.prefix ?? [])] };
}

function attempt(move: Move, state: State): string | null {
  try {
    move.act(state);
    return null;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    // A broken invariant inside the core is a finding as well.
    if (error instanceof Error) return `${error.name}: ${error.message}`;
    throw error;
  }
}

/** Letters that can change nothing any more go, so that states that differ only by them are one. Loss is always possible. */
function prune(setup: Setup, state: State): void {
  const useful = (letter: Letter): boolean => {
    const to = state.nodes[letter.to - 1];
    return to !== undefined && letter.message.term >= to.server.term;
  };
  const keys = new Set<string>();
  state.letters = state.letters.filter((letter) => {
    if (!useful(letter) || keys.has(letter.key)) return false;
    keys.add(letter.key);
    return true;
  });
  if (state.letters.length > setup.maxMessages) state.letters = state.letters.slice(-setup.maxMessages);
}

function spend(state: State, what: keyof State["budget"]): void {
  state.budget[what] -= 1;
}

function moves(setup: Setup, state: State): readonly Move[] {
  const list: Move[] = [];
  for (const [at, letter] of state.letters.entries()) {
    const name = `deliver ${letter.from}>${letter.to} ${letter.message.kind} t${letter.message.term}`;
    list.push({ name, act: (next) => deliver(setup, next, at, false) });
    if (state.budget.duplicates > 0) list.push({ name: `${name} and keep it`, act: (next) => deliver(setup, next, at, true) });
  }
  for (let id = 1; id <= state.nodes.length; id += 1) list.push(...nodeMoves(setup, state, id));
  return list;
}

function deliver(setup: Setup, state: State, at: number, keep: boolean): void {
  const letter = state.letters[at] as Letter;
  if (keep) spend(state, "duplicates");
  else state.letters.splice(at, 1);
  const nowMs = state.nodes[letter.to - 1]?.nowMs ?? 0;
  feed(setup, state, letter.to, { kind: "message", nowMs, from: memberId(letter.from), message: letter.message });
}

function nodeMoves(setup: Setup, state: State, id: number): readonly Move[] {
  const { budget } = state;
  const node = state.nodes[id - 1];
  if (node === undefined) return [];
  const list: Move[] = [];
  const leads = node.server.role === "leader";
  const { nowMs } = node;
  const add = (name: string, act: (next: State) => void): void => void list.push({ name: `${name} ${id}`, act });
  if (node.writes.length > 0) add("write of", (next) => persist(setup, next, id));
  const mayFall = setup.crashers?.includes(id) ?? true;
  if (budget.campaigns > 0 && (setup.campaigners?.includes(id) ?? true) && !leads && node.server.term < setup.maxTerm) {
    add("campaign", (next) => {
      spend(next, "campaigns");
      feed(setup, next, id, { kind: "campaign", nowMs });
    });
  }
  if (budget.proposals > 0 && leads) {
    add("propose", (next) => {
      spend(next, "proposals");
      feed(setup, next, id, { kind: "propose", context: 1, commands: ["x"] });
    });
  }
  if (budget.changes > 0 && leads) {
    add("three votes for", (next) => {
      spend(next, "changes");
      const changes = [{ op: "voter" as const, id: memberId(id), votes: 3 }];
      feed(setup, next, id, { kind: "proposeChange", context: 1, request: { kind: "change", mode: "joint", changes } });
    });
  }
  if (budget.heartbeats > 0 && leads) {
    add("heartbeat", (next) => {
      spend(next, "heartbeats");
      const beat = own(next, id);
      beat.nowMs += 50;
      feed(setup, next, id, { kind: "tick", nowMs: beat.nowMs });
    });
  }
  if (budget.crashes > 0 && mayFall) {
    add("crash", (next) => {
      spend(next, "crashes");
      crash(setup, next, id, null);
    });
  }
  if (budget.damages > 0 && mayFall && node.disk.entries.length > 0) {
    add("damage", (next) => {
      spend(next, "damages");
      crash(setup, next, id, 0);
    });
  }
  return list;
}
