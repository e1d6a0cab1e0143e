import { attributeOf, type Element, walk } from "../../../src/core/cib/index.ts";
import type { Model } from "../../../src/core/policy/index.ts";
import { PLACEMENTS, rootOf, type Scores } from "./placements.ts";

type Instance = { readonly node: string; readonly role: string; readonly flags?: readonly string[] };
type Action = {
  readonly id: string | number;
  readonly kind: string;
  readonly task: string;
  readonly rsc?: string;
  readonly node: string;
  readonly interval_ms?: number;
};

/** A result in the corpus' format, as far as exceptions look at it. */
export type Result = {
  readonly final: {
    readonly nodes: Readonly<Record<string, { readonly state: string }>>;
    readonly resources: Readonly<Record<string, readonly Instance[]>>;
    readonly bundles?: Readonly<Record<string, readonly Instance[]>>;
  };
  readonly actions: readonly Action[];
  readonly order: readonly (readonly [string | number, string | number])[];
  readonly scores: Scores;
  readonly summary: readonly { readonly verb: string; readonly rsc?: string; readonly reason: string | null }[];
  readonly recheck_by?: number | null;
};

/** One CIB and what both made of it. `oracle` and `ours` are results as reported, `model` is what ours assigned. */
export type Shown = { readonly cib: Element; readonly oracle: Result; readonly ours: Result; readonly model: Model };

/** What only one of both does with a resource: 2.1.5 starts it, only the engine does, or only 2.1.5 stops it. */
type Fork = "started" | "not started" | "stopped";

/**
 * A known difference between crm_simulate 2.1.5 and the specified (3.x) behaviour. Each says for single reported
 * differences, or for single instances of the final state, that it is the cause. Since a start that is held back changes
 * everything after it, others say so for a resource that goes another way. Different placements: placements.ts.
 */
type Exception = { readonly reason: string } & (
  | { readonly kind: "instance"; readonly hides: (shown: Shown, resource: string, instance: Instance) => boolean }
  | { readonly kind: "line"; readonly explains: (shown: Shown, level: string, line: string) => boolean }
  | { readonly kind: "fork"; readonly explains: (shown: Shown, resource: string, fork: Fork) => boolean }
);

/** With `PLACEMENTS` at most 15. Asked only about CIBs that differ. */
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
    reason:
      "2.1.5 does not show clone instances, groups and bundles that are unmanaged, or groups that are blocked, and only on nodes that are offline (status.md 28.13)",
    hides: ({ cib, ours, oracle }, resource, { node, flags = [] }) => {
      if (!(ours.final.nodes[node]?.state ?? "offline").includes("offline")) return false;
      const isShown = (id: string): boolean => (oracle.final.resources[id] ?? []).length > 0;
      const top = find(cib, topOf(cib, baseOf(resource)));
      const grouped = top?.name === "group" || top?.children.some((child) => child.name === "group") === true;
      if (!flags.some((flag) => flag === "unmanaged" || flag === "maintenance" || (grouped && flag === "blocked"))) return false;
      if (top?.name === "bundle") return (oracle.final.bundles?.[resource] ?? []).length === 0;
      if (top?.name === "clone") return !(oracle.final.resources[resource] ?? []).some((other) => other.node === node);
      return top?.name === "group" && !top.children.some((member) => isShown(attributeOf(member, "id") ?? ""));
    },
  },
  {
    kind: "line",
    reason: "2.1.5 does not count what is active on a node in maintenance as in maintenance (status.md 18.5)",
    explains: ({ ours, cib, model }, level, line) => {
      if (level !== "L2" || hasPair(cib, "maintenance-mode", "true")) return false;
      const [, resource = "", node = ""] = /^(?:missing: monitor|unexpected: cancel-monitor)\/\d+ (\S+) on (\S+)/.exec(line) ?? [];
      // At the end of the transition it may be active there no more, the node having been fenced.
      const before = (model.resourcesById.get(resource)?.activeNodes ?? []).map(({ name }) => name);
      const active = [...before, ...(ours.final.resources[resource] ?? []).map((instance) => instance.node)];
      return [node, ...active].some((one) => model.nodesByName.get(one.toLowerCase())?.maintenance === true);
    },
  },
  {
    kind: "line",
    reason: "2.1.5 orders only neighbours among the instances of an ordered clone, and of a bundle (actions.md O6)",
    explains: ({ cib }, level, line) =>
      level === "L3" &&
      line.startsWith("extra order: ") &&
      (hasPair(cib, "ordered", "true") || partsOfLongBundles(cib).some((name) => line.includes(` ${name}`))),
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
    kind: "fork",
    reason: "2.1.5 starts a group's member although the stop of an active one after it is blocked (actions.md O4)",
    explains: ({ cib, ours }, resource, fork) =>
      fork === "started" &&
      isBeforeActive(cib, resource) &&
      ours.summary.some(({ rsc = "", reason }) => baseOf(rsc) === baseOf(resource) && /^unrunnable \S+ stop$/.test(reason ?? "")),
  },
  {
    kind: "fork",
    reason:
      "2.1.5 looks at single instances where a probe on a pending node is blocked: others of an active clone start, and one that is down stops all of a unique or of a promotable cloned group's (actions.md O5.1, O5.4)",
    explains: ({ cib, model, oracle }, resource, fork) => {
      if (!model.nodes.some((node) => node.online && node.pending)) return false;
      const top = find(cib, topOf(cib, baseOf(resource)));
      if (top?.name !== "clone") return false;
      // It says so itself where it stops something for a probe that cannot be made.
      const saysSo = oracle.summary.some(
        ({ verb, rsc, reason }) =>
          verb === "Stop" && topOf(cib, baseOf(rsc ?? "")) === attributeOf(top, "id") && /^unrunnable \S+ monitor/.test(reason ?? ""),
      );
      return fork === "started" || saysSo || hasPair(top, "globally-unique", "true");
    },
  },
  {
    kind: "fork",
    reason: "2.1.5 stops what changed and does not start it again, without quorum and with no-quorum-policy=freeze (actions.md A6.5)",
    explains: ({ model, oracle }, resource, fork) =>
      fork === "not started" &&
      !model.quorate &&
      model.options.noQuorumPolicy === "freeze" &&
      oracle.summary.some(
        (line) => baseOf(line.rsc ?? "") === baseOf(resource) && line.verb === "Stop" && line.reason === "resource definition change",
      ),
  },
];

/** How the names of what is in bundles begin that have replicas which are no neighbours. */
function partsOfLongBundles(cib: Element): readonly string[] {
  return [...walk(cib)].flatMap((bundle) => {
    if (bundle.name !== "bundle" || !bundle.children.some((child) => Number(attributeOf(child, "replicas")) > 2)) return [];
    const inner = bundle.children.filter((child) => child.name === "primitive").map((child) => attributeOf(child, "id") ?? "");
    return [`${attributeOf(bundle, "id")}-`, ...inner];
  });
}

/** Without the number of an instance. */
function baseOf(resource: string): string {
  return resource.replace(/:\d+$/, "");
}

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
  const base = baseOf(resource);
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
    if (found.name !== "lrm_resource" || baseOf(attributeOf(found, "id") ?? "") !== resource) continue;
    if (found.children.some((entry) => entry.attributes["operation"] !== "monitor" || entry.attributes["rc-code"] === "0")) return true;
  }
  return false;
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
  const visible = (all: Readonly<Record<string, readonly Instance[]>>): Record<string, readonly Instance[]> =>
    Object.fromEntries(Object.entries(all).map(([id, instances]) => [id, withoutHiddenOnes(shown, id, instances, used)]));
  const { resources, bundles } = result.final;
  return {
    ...result,
    final: { ...result.final, resources: visible(resources), ...(bundles === undefined ? {} : { bundles: visible(bundles) }) },
  };
}

function withoutHiddenOnes(shown: Shown, id: string, instances: readonly Instance[], used: Set<string>): readonly Instance[] {
  const left = instances.filter((instance) => {
    const exception = EXCEPTIONS.find((one) => one.kind === "instance" && one.hides(shown, id, instance));
    if (exception !== undefined) used.add(exception.reason);
    return exception === undefined;
  });
  // With one too many before, another counted as surplus.
  return left.length === instances.length ? left : left.map(withoutSurplus);
}

function withoutSurplus(instance: Instance): Instance {
  return { ...instance, flags: (instance.flags ?? []).filter((flag) => flag !== "orphaned") };
}

/** The reason why a reported difference is expected, or null. */
export function excusedLine(shown: Shown, level: string, line: string): string | null {
  return EXCEPTIONS.find((one) => one.kind === "line" && one.explains(shown, level, line))?.reason ?? null;
}

/** The reason why everything that follows from a start, or from scores, is expected to differ, or null. */
export function excusedCase(shown: Shown): string | null {
  const made = (result: Result, task: string): Map<string, string> =>
    new Map(result.actions.filter((action) => action.task === task).map(({ rsc = "", node }) => [`${rsc} ${node}`, rsc]));
  const only = (one: Result, other: Result, task: string, fork: Fork): readonly (readonly [string, Fork])[] => {
    const others = made(other, task);
    return [...made(one, task)].flatMap(([key, resource]) => (others.has(key) ? [] : [[resource, fork] as const]));
  };
  const { oracle, ours } = shown;
  const forks = [
    ...only(oracle, ours, "start", "started"),
    ...only(ours, oracle, "start", "not started"),
    ...only(ours, oracle, "migrate_to", "not started"),
    ...only(oracle, ours, "stop", "stopped"),
  ];
  for (const [resource, fork] of forks) {
    const exception = EXCEPTIONS.find((one) => one.kind === "fork" && one.explains(shown, resource, fork));
    if (exception !== undefined) return exception.reason;
  }
  const root = rootOf(shown.model, oracle.scores, ours.scores);
  if (root === null) return null;
  return PLACEMENTS.find((one) => one.explains(root, shown.model))?.reason ?? null;
}
