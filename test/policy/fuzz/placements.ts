import {
  type Colocation,
  cloneOf,
  isWithin,
  type Model,
  outermostOf,
  primitivesOf,
  type Resource,
  ROLE,
} from "../../../src/core/policy/index.ts";

type Score = { readonly rsc: string; readonly node: string | null; readonly score: number };

/** Scores as reported: of primitives, of promotion, and of groups, clones and bundles. */
export type Scores = {
  readonly allocation: readonly Score[];
  readonly promotion: readonly Score[];
  readonly collective?: readonly Score[];
};

/** The first assignment that went another way. Everything assigned later may follow from it. */
export type Root = {
  readonly scores: "allocation" | "promotion" | "collective";
  /** Instances of the resource, or the resource itself. */
  readonly resources: readonly Resource[];
};

/** Where 2.1.5 follows another rule than the specified one when it places resources. */
export type PlacementException = { readonly reason: string; readonly explains: (root: Root, model: Model) => boolean };

export const PLACEMENTS: readonly PlacementException[] = [
  {
    reason:
      "2.1.5 rates a Promoted dependent by mandatory colocations with what is placed alone, and keeps it away by negative ones (assignment.md 8.19, 11.8)",
    explains: ({ scores, resources }, model) =>
      model.colocations.some((one) => {
        if (one.dependentRole !== ROLE.promoted || !resources.some((resource) => isWithin(resource, one.dependent))) return false;
        if (scores !== "promotion") return one.score < 0;
        // What runs inside the primary is tied to it, too.
        const holds = model.primitives.some(({ launcher }) => launcher === one.primary);
        return one.score < INFINITY || isClonedGroup(one.dependent) || !isPlaced(one.primary) || holds;
      }),
  },
  {
    reason:
      "2.1.5 tries once to keep an instance of a clone or bundle, and reserves no place for it where it would rather be (assignment.md 10.11)",
    explains: ({ scores, resources }, model) =>
      scores !== "promotion" && resources.some((resource) => siblingsOf(resource).some((one) => attemptsAt(model, one) > 1)),
  },
  {
    reason:
      "2.1.5 hands positive dependents and finite primaries of a clone or bundle to instances only if there are fewer of them than nodes (assignment.md 8.18)",
    explains: ({ scores, resources }, model) =>
      scores !== "promotion" &&
      resources.some((resource) => {
        const top = outermostOf(resource);
        const instances = top.bundle?.replicas.length ?? (top.kind === "clone" ? top.cloneMax : 0);
        if (instances < Math.max(1, availableNodes(model, top))) return false;
        return model.colocations.some((one) => one.score > 0 && (one.primary === top || (one.dependent === top && one.score < INFINITY)));
      }),
  },
  {
    reason:
      "2.1.5 neither weakens a dependent's dependents by its own score nor looks beyond the members of a dependent group (assignment.md 8.16, 8.28)",
    explains: ({ resources }, model) =>
      edgesTo(model, resources).some((one) => {
        const dependent = outermostOf(one.dependent);
        const followed = dependentsOf(model, dependent).length > 0;
        if (dependent.kind === "group" && followed) return true;
        return isOptional(one) && (followed || (dependent.kind === "group" && dependent.children.length > 1));
      }),
  },
  {
    reason: "2.1.5 follows optional colocations of a dependent before mandatory ones that sort after them (assignment.md 6.2)",
    explains: ({ resources }, model) => {
      const tops = new Set(resources.map(outermostOf));
      return [...model.resourcesById.values()].some((dependent) => {
        const followed = [dependent, ...dependent.dependsOn.map((one) => one.primary)];
        return hasOptionalFirst(dependent.dependsOn) && followed.some((one) => tops.has(outermostOf(one)));
      });
    },
  },
  {
    reason: "2.1.5 does not keep away from the only node of what must be kept apart (assignment.md 8.33)",
    explains: ({ resources }, model) => edgesTo(model, resources).some((one) => one.score < 0 && usableNodes(model, one.dependent) <= 1),
  },
];

const INFINITY = 1_000_000;

function isOptional(colocation: Colocation): boolean {
  return Math.abs(colocation.score) < INFINITY;
}

/** Whether an optional one is listed before a mandatory one. */
function hasOptionalFirst(list: readonly Colocation[]): boolean {
  const optional = list.findIndex(isOptional);
  return optional >= 0 && list.slice(optional).some((one) => !isOptional(one));
}

function isClonedGroup(resource: Resource): boolean {
  return resource.kind === "clone" && resource.children[0]?.kind === "group";
}

/** Of a group the last member counts: what depends on it needs all of it. */
function isPlaced(resource: Resource): boolean {
  const last = resource.kind === "group" ? resource.children.at(-1) : resource;
  return last !== undefined && (last.kind === "primitive" ? last.node !== null : last.assignedNodes.length > 0);
}

/** The resource itself, in a clone; of a bundle the containers, whose places one after the other depend on each other. */
function siblingsOf(resource: Resource): readonly Resource[] {
  const bundle = outermostOf(resource).bundle;
  if (bundle !== null) return bundle.replicas.map(({ container }) => container);
  return cloneOf(resource) === null ? [] : [resource];
}

/** How often the table of its first primitive was printed: each attempt to place it prints it. */
function attemptsAt(model: Model, resource: Resource): number {
  const [first] = primitivesOf(resource);
  return model.reports.filter((report) => report.label === "primitive" && report.resource === first).length;
}

/** Remote nodes whose connections follow the resource were not available when it was placed. */
function availableNodes(model: Model, top: Resource): number {
  const later = new Set(edgesTo(model, [top]).map((one) => outermostOf(one.dependent)));
  const waits = (connection: Resource | null): boolean => connection !== null && later.has(outermostOf(connection));
  return model.nodes.filter((node) => node.available && top.table.has(node.index) && !waits(node.connection)).length;
}

function usableNodes(model: Model, resource: Resource): number {
  return model.nodes.filter((node) => resource.table.get(node.index) >= 0).length;
}

/** Colocations of others with a top-level resource or something in it. */
function dependentsOf(model: Model, top: Resource): readonly Colocation[] {
  return model.colocations.filter((one) => outermostOf(one.primary) === top && outermostOf(one.dependent) !== top);
}

/** Colocations through which preferences reach the resources: of dependents, their dependents, and so on. */
function edgesTo(model: Model, resources: readonly Resource[]): readonly Colocation[] {
  const edges = new Set<Colocation>();
  const waiting = new Set(resources.map(outermostOf));
  for (const top of waiting) {
    for (const one of dependentsOf(model, top)) {
      edges.add(one);
      waiting.add(outermostOf(one.dependent));
    }
  }
  return [...edges];
}

/** The first difference in the order of assignment, or null. */
export function rootOf(model: Model, oracle: Scores, ours: Scores): Root | null {
  const turns = turnsOf(model);
  let root: Root | null = null;
  let first = Number.POSITIVE_INFINITY;
  for (const scores of ["allocation", "promotion", "collective"] as const) {
    const own = linesByBase(ours[scores] ?? []);
    const theirs = linesByBase(oracle[scores] ?? []);
    for (const base of new Set([...own.keys(), ...theirs.keys()])) {
      if (own.get(base) === theirs.get(base)) continue;
      const resources = [...model.resourcesById.values()].filter((resource) => resource.configId === base || resource.id === base);
      const turn = turns(scores, resources);
      if (turn >= first) continue;
      first = turn;
      root = { scores, resources };
    }
  }
  return root;
}

/** When a resource's scores were settled: a collective's before, ratings after its primitives were assigned. */
function turnsOf(model: Model): (scores: Root["scores"], resources: readonly Resource[]) => number {
  const turns = new Map<Resource, { first: number; last: number }>();
  model.reports.forEach(({ label, resource }, at) => {
    if (label !== "primitive") return;
    for (let above: Resource | null = resource; above !== null; above = above.parent) {
      const known = turns.get(above);
      if (known === undefined) turns.set(above, { first: at, last: at });
      else known.last = at;
    }
  });
  return (scores, resources) => {
    const found = resources.flatMap((resource) => turns.get(resource) ?? []);
    if (found.length === 0) return Number.POSITIVE_INFINITY;
    if (scores === "promotion") return Math.max(...found.map(({ last }) => last)) + 0.5;
    const first = Math.min(...found.map((turn) => turn.first));
    return scores === "collective" ? first - 0.5 : first;
  };
}

/** Scores by configured id; numbers of instances do not matter. */
function linesByBase(scores: readonly Score[]): ReadonlyMap<string, string> {
  const byInstance = new Map<string, string[]>();
  for (const { rsc, node, score } of scores) {
    const list = byInstance.get(rsc);
    if (list === undefined) byInstance.set(rsc, [`${node}=${score}`]);
    else list.push(`${node}=${score}`);
  }
  const byBase = new Map<string, string[]>();
  for (const [rsc, list] of byInstance) {
    const base = rsc.replace(/:\d+$/, "");
    const text = list.sort().join(" ");
    const known = byBase.get(base);
    if (known === undefined) byBase.set(base, [text]);
    else known.push(text);
  }
  return new Map([...byBase].map(([base, texts]) => [base, texts.sort().join("; ")]));
}
