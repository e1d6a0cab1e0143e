import { attributeOf, type CibState, childrenOf, type Element, type Intent, renderConfiguration, walk } from "../cib/index.ts";
import type { TransitionGraph } from "../transition/index.ts";

/** Tasks after which less runs than the policy engine was told: it sees them as not yet having begun (policy/status.md 15.4). */
const ENDING: ReadonlySet<string> = new Set(["stop", "demote", "migrate_to", "migrate_from"]);
const CONTAINERS: ReadonlySet<string> = new Set(["group", "clone", "master", "bundle"]);

/**
 * What an earlier plan still ends while the present one knows nothing of it: it counts on `db` that is being stopped. Until
 * that is over nothing that is tied to it may begin, and then the plan is made anew (RAFT.md §10 H7: ordering holds at every
 * committed step). Whatever the present plan contains too, it waits for by itself.
 */
export class Strays {
  readonly #keys: readonly string[];
  readonly #ties: ReadonlyMap<string, string>;
  readonly #places: ReadonlySet<string>;

  constructor(state: CibState, graph: TransitionGraph) {
    const strays = [...state.intents.values()].filter((intent) => ENDING.has(intent.task) && !contains(graph, intent));
    this.#keys = strays.map((intent) => intent.key);
    this.#ties = strays.length === 0 ? new Map() : tiesOf(renderConfiguration(state));
    this.#places = new Set(strays.map((intent) => rootOf(this.#ties, idOf(intent.resource))));
  }

  /** Must an action of this resource wait? */
  holds(state: CibState, resource: string): boolean {
    if (!this.#keys.some((key) => state.intents.has(key))) return false;
    return this.#places.has(rootOf(this.#ties, idOf(resource)));
  }
}

function contains(graph: TransitionGraph, intent: Intent): boolean {
  return graph.actions.some(
    (action) =>
      action.kind === "resource" &&
      action.historyName === intent.resource &&
      action.node === intent.node &&
      action.task === intent.task &&
      action.intervalMs === intent.intervalMs,
  );
}

/** Without the number of a clone's instance. */
const idOf = (resource: string): string => resource.replace(/:\d+$/, "");

/**
 * Which resources a constraint, a container, a template or a tag binds together, directly or over others: each id leads towards
 * the one that stands for all of them. More ties than there are only make an action wait.
 */
function tiesOf(configuration: Element): ReadonlyMap<string, string> {
  const parents = new Map<string, string>();
  const tie = (ids: readonly string[]): void => {
    const [first, ...others] = ids;
    if (first === undefined) return;
    for (const other of others) {
      const [a, b] = [rootOf(parents, first), rootOf(parents, other)];
      if (a !== b) parents.set(b, a);
    }
  };
  for (const found of walk(configuration)) {
    const id = attributeOf(found, "id") ?? "";
    if (CONTAINERS.has(found.name)) tie([id, ...[...walk(found)].filter(isResource).map((inner) => attributeOf(inner, "id") ?? "")]);
    else if (found.name === "primitive") tie([id, ...named(found, ["template"])]);
    else if (found.name === "rsc_colocation") tie([...named(found, ["rsc", "with-rsc"]), ...references(found)]);
    else if (found.name === "rsc_order") tie([...named(found, ["first", "then"]), ...references(found)]);
    else if (found.name === "tag") tie([id, ...childrenOf(found, "obj_ref").flatMap((inner) => named(inner, ["id"]))]);
  }
  return parents;
}

const isResource = (of: Element): boolean => of.name === "primitive" || CONTAINERS.has(of.name);

function named(of: Element, attributes: readonly string[]): readonly string[] {
  return attributes.map((name) => attributeOf(of, name)).filter((id) => id !== undefined);
}

function references(constraint: Element): readonly string[] {
  return [...walk(constraint)].filter(({ name }) => name === "resource_ref").flatMap((found) => named(found, ["id"]));
}

function rootOf(parents: ReadonlyMap<string, string>, id: string): string {
  let root = id;
  for (let parent = parents.get(root); parent !== undefined; parent = parents.get(root)) root = parent;
  return root;
}
