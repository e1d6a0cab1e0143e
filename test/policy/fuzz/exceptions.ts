import { attributeOf, type Element, walk } from "../../../src/core/cib/index.ts";

type Instance = { readonly node: string; readonly role: string; readonly flags?: readonly string[] };
type Action = { readonly id: string | number; readonly task: string; readonly rsc?: string; readonly node: string };
type Score = { readonly rsc: string; readonly node: string | null; readonly score: number };

/** A result in the corpus' format, as far as exceptions look at it. */
export type Result = {
  readonly final: {
    readonly nodes: Readonly<Record<string, { readonly state: string }>>;
    readonly resources: Readonly<Record<string, readonly Instance[]>>;
  };
  readonly actions: readonly Action[];
  readonly order: readonly (readonly [string | number, string | number])[];
  readonly scores: { readonly allocation: readonly Score[]; readonly promotion: readonly Score[]; readonly collective?: readonly Score[] };
};

/** One CIB and what both made of it. `oracle` and `ours` are results as reported. */
export type Shown = { readonly cib: Element; readonly oracle: Result; readonly ours: Result };

/**
 * A known difference between crm_simulate 2.1.5 and the specified (3.x) behaviour. Each says for single reported
 * differences, or for single instances of the final state, that it is the cause. Since a start that is held back, or a
 * different placement, changes everything after it, others say so for a resource that only the oracle starts, or for the
 * first resource whose scores differ.
 */
type Exception = { readonly reason: string } & (
  | { readonly kind: "instance"; readonly hides: (shown: Shown, resource: string, instance: Instance) => boolean }
  | { readonly kind: "line"; readonly explains: (shown: Shown, level: string, line: string) => boolean }
  | { readonly kind: "held"; readonly explains: (shown: Shown, resource: string) => boolean }
  | { readonly kind: "placement"; readonly explains: (shown: Shown, first: Diverging) => boolean }
);

/** The first resource, in the order of assignment, of which both have different scores, and of which kind. */
type Diverging = { readonly resource: string; readonly scores: "allocation" | "promotion" };

/** At most 15. Asked only about CIBs that differ. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    kind: "instance",
    reason: "2.1.5 takes a recorded cancellation for a sign of life: what stopped before it is shown as started (status.md 13.2)",
    hides: ({ oracle }, resource, { node }) => {
      const of = (task: string): Action | undefined =>
        oracle.actions.find((action) => action.task === task && action.rsc === resource && action.node === node);
      const stop = of("stop");
      const cancel = of("cancel");
      if (stop === undefined || cancel === undefined || of("start") !== undefined) return false;
      return oracle.order.some(([first, then]) => String(first) === String(stop.id) && String(then) === String(cancel.id));
    },
  },
  {
    kind: "instance",
    reason: "2.1.5 does not show unmanaged or blocked clone instances on nodes that are offline (status.md 28.13)",
    hides: ({ ours, oracle }, resource, { node, flags }) => {
      if (!(ours.final.nodes[node]?.state ?? "offline").includes("offline")) return false;
      if (!(flags ?? []).some((flag) => flag === "unmanaged" || flag === "blocked" || flag === "maintenance")) return false;
      return !(oracle.final.resources[resource] ?? []).some((other) => other.node === node);
    },
  },
  {
    kind: "line",
    reason: "2.1.5 does not count what is active on a node in maintenance as in maintenance (status.md 18.5)",
    explains: ({ ours, oracle }, level, line) => {
      if (level !== "L2") return false;
      const resource = /^(?:missing: monitor|unexpected: cancel-monitor)\/\d+ (\S+) on /.exec(line)?.[1] ?? "";
      const flagged = (result: Result): boolean =>
        (result.final.resources[resource] ?? []).some(
          ({ node, flags }) => result.final.nodes[node]?.state.includes("maintenance") === true && flags?.includes("maintenance") === true,
        );
      return flagged(ours) && !flagged(oracle);
    },
  },
  {
    kind: "line",
    reason: "2.1.5 orders only neighbours among the instances of an ordered clone (actions.md O6)",
    explains: ({ cib }, level, line) => level === "L3" && line.startsWith("extra order: ") && hasPair(cib, "ordered", "true"),
  },
  {
    kind: "line",
    reason: "2.1.5 does not order the stop of a group's member before the start of an inactive one before it (actions.md O4)",
    explains: ({ cib, oracle }, level, line) =>
      level === "L3" &&
      line.startsWith("extra order: ") &&
      oracle.actions.some((action) => action.task === "start" && isBeforeActive(cib, action.rsc ?? "")),
  },
  {
    kind: "held",
    reason: "2.1.5 starts a group's member although the stop of an active one after it is blocked (actions.md O4)",
    explains: ({ cib }, resource) => isBeforeActive(cib, resource),
  },
  {
    kind: "held",
    reason: "2.1.5 starts instances of an active clone although its probe on a pending node is blocked (actions.md O5.4)",
    explains: ({ cib }, resource) =>
      find(cib, topOf(cib, resource))?.name === "clone" &&
      [...walk(cib)].some(
        (found) => found.name === "node_state" && found.attributes["crmd"] === "online" && found.attributes["join"] === "down",
      ),
  },
  {
    kind: "placement",
    reason: "2.1.5 lets the primary's preferences count for a Promoted dependent instead of adding a finite score (assignment.md 11.8)",
    explains: ({ cib }, { resource, scores }) =>
      scores === "promotion" &&
      colocations(cib).some(
        (one) => one.attributes["rsc-role"] === "Promoted" && hasFiniteScore(one) && within(cib, one.attributes["rsc"] ?? "", resource),
      ),
  },
  {
    kind: "placement",
    reason: "2.1.5 reserves no place for a clone's instance that would rather be elsewhere (assignment.md 10.11)",
    // The clone itself has the same scores in both: only how its instances are spread differs.
    explains: ({ cib, oracle, ours }, { resource, scores }) => {
      const clone = topOf(cib, resource);
      if (scores !== "allocation" || find(cib, clone)?.name !== "clone") return false;
      const own = linesByBase(ours.scores.collective ?? []).get(clone);
      return own !== undefined && own === linesByBase(oracle.scores.collective ?? []).get(clone);
    },
  },
  {
    kind: "placement",
    reason: "2.1.5 merges the preferences of what depends on clones and groups differently (assignment.md 8.28 to 8.33, 10.2)",
    explains: ({ cib }, { resource }) =>
      connected(cib, topOf(cib, resource)).some((id) => {
        const kind = find(cib, id)?.name;
        return kind === "clone" || kind === "group";
      }),
  },
];

function find(cib: Element, id: string): Element | undefined {
  for (const found of walk(cib)) if (attributeOf(found, "id") === id && RESOURCES.has(found.name)) return found;
  return undefined;
}

const RESOURCES: ReadonlySet<string> = new Set(["primitive", "group", "clone", "bundle"]);

function tops(cib: Element): readonly Element[] {
  for (const found of walk(cib)) if (found.name === "resources") return found.children;
  return [];
}

/** Id of the top-level resource that is or holds the resource. */
function topOf(cib: Element, resource: string): string {
  for (const top of tops(cib)) if (holds(top, resource)) return attributeOf(top, "id") ?? "";
  return resource;
}

function holds(at: Element, resource: string): boolean {
  for (const found of walk(at)) if (RESOURCES.has(found.name) && attributeOf(found, "id") === resource) return true;
  return false;
}

/** A member of a group, before one that history shows as active. */
function isBeforeActive(cib: Element, resource: string): boolean {
  const base = resource.replace(/:\d+$/, "");
  for (const group of walk(cib)) {
    if (group.name !== "group") continue;
    const members = group.children.filter((child) => child.name === "primitive").map((child) => attributeOf(child, "id") ?? "");
    const at = members.indexOf(base);
    if (at >= 0 && members.slice(at + 1).some((member) => hasRun(cib, member))) return true;
  }
  return false;
}

/** History has more of it than a probe that found nothing. */
function hasRun(cib: Element, resource: string): boolean {
  for (const found of walk(cib)) {
    if (found.name !== "lrm_resource" || (attributeOf(found, "id") ?? "").replace(/:\d+$/, "") !== resource) continue;
    if (found.children.some((entry) => entry.attributes["operation"] !== "monitor" || entry.attributes["rc-code"] === "0")) return true;
  }
  return false;
}

function within(cib: Element, top: string, resource: string): boolean {
  const at = find(cib, top);
  return at !== undefined && holds(at, resource);
}

function colocations(cib: Element): readonly Element[] {
  return [...walk(cib)].filter((found) => found.name === "rsc_colocation");
}

function hasFiniteScore(constraint: Element): boolean {
  return !(attributeOf(constraint, "score") ?? "").endsWith("INFINITY");
}

/** Ids that a colocation names, in sets or by itself. */
function namedBy(constraint: Element): readonly string[] {
  const ids = [attributeOf(constraint, "rsc"), attributeOf(constraint, "with-rsc")];
  for (const found of walk(constraint)) if (found.name === "resource_ref") ids.push(attributeOf(found, "id"));
  return ids.filter((id) => id !== undefined);
}

/** Everything that colocations tie to a top-level resource, through others too; nothing if none names it. */
function connected(cib: Element, top: string): readonly string[] {
  const reached = new Set<string>();
  const waiting = [top];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const constraint of colocations(cib)) {
      const ids = namedBy(constraint);
      if (!ids.includes(at)) continue;
      for (const id of ids) {
        if (reached.has(id)) continue;
        reached.add(id);
        waiting.push(id);
      }
    }
  }
  return [...reached];
}

function hasPair(cib: Element, name: string, value: string): boolean {
  for (const found of walk(cib)) {
    if (found.name === "nvpair" && attributeOf(found, "name") === name && attributeOf(found, "value") === value) return true;
  }
  return false;
}

/** A result without the instances that an exception hides; `used` collects the reasons. */
export function withoutHidden(shown: Shown, which: "oracle" | "ours", used: Set<string>): Result {
  const result = shown[which];
  const resources: Record<string, readonly Instance[]> = {};
  for (const [id, instances] of Object.entries(result.final.resources)) {
    resources[id] = instances.filter((instance) => {
      const exception = EXCEPTIONS.find((one) => one.kind === "instance" && one.hides(shown, id, instance));
      if (exception !== undefined) used.add(exception.reason);
      return exception === undefined;
    });
  }
  return { ...result, final: { ...result.final, resources } };
}

/** The reason why a reported difference is expected, or null. */
export function excusedLine(shown: Shown, level: string, line: string): string | null {
  return EXCEPTIONS.find((one) => one.kind === "line" && one.explains(shown, level, line))?.reason ?? null;
}

/** The reason why everything that follows from a start, or from scores, is expected to differ, or null. */
export function excusedCase(shown: Shown): string | null {
  const own = new Set(shown.ours.actions.map((action) => `${action.task} ${action.rsc} ${action.node}`));
  for (const { task, rsc, node } of shown.oracle.actions) {
    if (task !== "start" || rsc === undefined || own.has(`start ${rsc} ${node}`)) continue;
    const exception = EXCEPTIONS.find((one) => one.kind === "held" && one.explains(shown, rsc));
    if (exception !== undefined) return exception.reason;
  }
  const first = firstDiverging(shown);
  if (first === null) return null;
  return EXCEPTIONS.find((one) => one.kind === "placement" && one.explains(shown, first))?.reason ?? null;
}

function firstDiverging({ oracle, ours }: Shown): Diverging | null {
  for (const scores of ["allocation", "promotion"] as const) {
    const theirs = linesByBase(oracle.scores[scores]);
    const own = linesByBase(ours.scores[scores]);
    for (const [base, lines] of own) if (lines !== theirs.get(base)) return { resource: base, scores };
    for (const base of theirs.keys()) if (!own.has(base)) return { resource: base, scores };
  }
  return null;
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
