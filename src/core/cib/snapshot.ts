import { invariant, PersistentMap } from "../base/index.ts";
import { SECTIONS, type Section } from "./edit.ts";
import { type CibState, emptyState, type NodeStatus, type ResourceHistory, type SectionState, type Session, uniformNode } from "./state.ts";

/** Version of the snapshot's form; a change of the form is a new version and an upgrade note. */
export const SNAPSHOT_VERSION = 1;

/** A snapshot as plain data. Maps are lists in key order, so that equal states give equal text (RAFT.md §10 S12). */
export type SnapshotData = { readonly version: number; readonly state: unknown };

type Pairs<V> = readonly (readonly [string, V])[];

export function encodeSnapshot(state: CibState): SnapshotData {
  const sections: Record<string, unknown> = {};
  for (const name of SECTIONS) {
    sections[name] = { objects: [...state.sections[name].objects], nextOrdinal: state.sections[name].nextOrdinal };
  }
  const plain = {
    ...state,
    sections,
    nodes: [...state.nodes].map(([name, node]) => [name, encodeNode(node)]),
    intents: [...state.intents],
    fencing: [...state.fencing],
    sessions: [...state.sessions].map(([key, session]) => [key, { ...session, replies: [...session.replies] }]),
    tokens: [...state.tokens],
    uploads: [...state.uploads],
  };
  return { version: SNAPSHOT_VERSION, state: plain };
}

/**
 * Levels of a snapshot that are written element by element: what lies deeper is one object of the configuration, one
 * attribute, one history of a resource.
 */
const PIECE_DEPTH = 7;

/**
 * The JSON text of a snapshot in small pieces; joined, they are what `JSON.stringify` gives. A large state takes longer to
 * write than a leader may be silent, so whoever writes it can pause between two pieces.
 */
export function snapshotPieces(state: CibState): Generator<string> {
  return jsonPieces(encodeSnapshot(state), PIECE_DEPTH);
}

function* jsonPieces(value: unknown, depth: number): Generator<string> {
  if (depth === 0 || typeof value !== "object" || value === null) {
    yield JSON.stringify(value);
    return;
  }
  let first = true;
  if (Array.isArray(value)) {
    for (const item of value) {
      yield first ? "[" : ",";
      first = false;
      yield* jsonPieces(item ?? null, depth - 1);
    }
    yield first ? "[]" : "]";
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    yield `${first ? "{" : ","}${JSON.stringify(key)}:`;
    first = false;
    yield* jsonPieces(item, depth - 1);
  }
  yield first ? "{}" : "}";
}

function encodeNode(node: NodeStatus): unknown {
  const history = [...node.history].map(([name, entry]) => [
    name,
    { ...entry, operations: [...entry.operations], recurring: [...entry.recurring] },
  ]);
  return { ...node, attributes: [...node.attributes], history };
}

/** The state that `encodeSnapshot` was given. The bytes were verified by their hash; a form we do not know stops the node. */
export function decodeSnapshot(data: SnapshotData): CibState {
  invariant(data.version === SNAPSHOT_VERSION, `snapshot of form ${data.version}, this build reads ${SNAPSHOT_VERSION}`);
  const plain = data.state as Omit<
    CibState,
    "sections" | "nodes" | "intents" | "fencing" | "sessions" | "tokens" | "uploads" | "voidedAt"
  > & {
    readonly sections: Readonly<Record<Section, { readonly objects: Pairs<never>; readonly nextOrdinal: number }>>;
    readonly nodes: Pairs<unknown>;
    readonly intents: Pairs<never>;
    readonly fencing: Pairs<never>;
    readonly sessions: Pairs<Omit<Session, "replies"> & { readonly replies: Pairs<never> }>;
    readonly tokens: Pairs<never>;
    /** Absent in snapshots of builds that did not know them. */
    readonly uploads?: Pairs<never>;
    readonly voidedAt?: CibState["voidedAt"];
  };
  const sections: Partial<Record<Section, SectionState>> = {};
  for (const name of SECTIONS) {
    const section = plain.sections[name];
    sections[name] = { objects: PersistentMap.from(section.objects), nextOrdinal: section.nextOrdinal };
  }
  return {
    ...emptyState(),
    ...plain,
    voidedAt: plain.voidedAt ?? plain.changedAt,
    sections: sections as Record<Section, SectionState>,
    nodes: PersistentMap.from(plain.nodes.map(([name, node]) => [name, decodeNode(node)] as const)),
    intents: PersistentMap.from(plain.intents),
    fencing: PersistentMap.from(plain.fencing),
    sessions: PersistentMap.from(
      plain.sessions.map(([key, session]) => [key, { ...session, replies: PersistentMap.from(session.replies) }] as const),
    ),
    tokens: PersistentMap.from(plain.tokens),
    uploads: PersistentMap.from(plain.uploads ?? []),
  };
}

function decodeNode(plain: unknown): NodeStatus {
  const node = plain as Omit<NodeStatus, "attributes" | "history"> & {
    readonly attributes: Pairs<string>;
    readonly history: Pairs<Omit<ResourceHistory, "operations" | "recurring"> & { operations: Pairs<never>; recurring: Pairs<never> }>;
  };
  const history = node.history.map(
    ([name, entry]) =>
      [
        name,
        { ...entry, operations: PersistentMap.from<never>(entry.operations), recurring: PersistentMap.from<never>(entry.recurring) },
      ] as const,
  );
  return uniformNode({ ...node, attributes: PersistentMap.from(node.attributes), history: PersistentMap.from<ResourceHistory>(history) });
}
