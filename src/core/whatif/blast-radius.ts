import { compareText, type Hash, QuorateError } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import { type Model, primitivesOf, ROLE, readModel, roleName } from "../policy/index.ts";
import { type Injection, inject } from "./inject.ts";
import { settle } from "./settle.ts";

/** What a loss does to one resource. `reduced`: some instances end, others go on. */
export type BlastEffect = {
  readonly resource: string;
  readonly effect: "stopped" | "moved" | "reduced" | "promoted";
  readonly from: readonly string[];
  readonly to: readonly string[];
};

export type Blast = {
  /** Nodes that fail together. */
  readonly lost: readonly string[];
  /** False: what is left has no majority, and does what `no-quorum-policy` says. */
  readonly quorate: boolean;
  /** Nodes that are fenced, the lost ones and any other. */
  readonly fenced: readonly string[];
  readonly effects: readonly BlastEffect[];
};

export type BlastOptions = {
  /** Votes by node, from the Raft configuration, witnesses too; absent: one for each cluster node. */
  readonly votes?: ReadonlyMap<string, number>;
};

/** Sets of nodes that may be asked about in one call; each costs a few runs of the engine. */
export const BLAST_SETS_MAX = 1_024;

/**
 * For each set of nodes: what would be stopped, moved or fenced if they failed at once, once the cluster had done all it
 * can. Compared with where the cluster is heading, so that work in progress is not counted as damage. Throws
 * `WHATIF_UNKNOWN` for a node that is not there, `WHATIF_TOO_MANY` above `BLAST_SETS_MAX`.
 */
export function blastRadius(
  cib: Element,
  sets: readonly (readonly string[])[],
  at: { readonly nowMs: number; readonly hash: Hash },
  options: BlastOptions = {},
): Blast[] {
  if (sets.length > BLAST_SETS_MAX) {
    throw new QuorateError(`${sets.length} sets of nodes are more than ${BLAST_SETS_MAX}: ask about fewer`, { code: "WHATIF_TOO_MANY" });
  }
  const calm = settle(cib, at.nowMs, at.hash).cib;
  const model = readModel(calm, at.nowMs, at.hash);
  const before = placesOf(model);
  return sets.map((lost) => {
    const quorate = staysQuorate(model, lost, options.votes);
    const wallSec = Math.floor(at.nowMs / 1000);
    const injections: Injection[] = lost.map((node) => ({ kind: "node-fail", node }));
    if (!quorate) injections.push({ kind: "quorum", quorate: false });
    const settled = settle(inject(calm, injections, wallSec), at.nowMs, at.hash);
    const fenced = new Set(
      settled.plans.flatMap((plan) =>
        plan.graph.actions.flatMap((action) => (action.kind === "fence" && action.task !== "on" ? [action.node] : [])),
      ),
    );
    const after = placesOf(readModel(settled.cib, at.nowMs, at.hash));
    return { lost: [...lost], quorate, fenced: [...fenced].sort(compareText), effects: compare(before, after) };
  });
}

/** Every node alone, and with `pairs` every two of them. */
export function blastSets(nodes: readonly string[], pairs: boolean): string[][] {
  const alone = nodes.map((node) => [node]);
  const two = nodes.flatMap((first, index) => nodes.slice(index + 1).map((second) => [first, second]));
  return pairs ? [...alone, ...two] : alone;
}

/** Names of the nodes that may fail: cluster nodes that are online. */
export function clusterNodes(model: Model): string[] {
  return model.nodeList.filter((node) => node.kind === "cluster" && node.online).map((node) => node.name);
}

/**
 * Has what is left more than half of the votes? A voter that is no node of the configuration is a witness; whether it is
 * up does not show in the CIB, so it counts as up.
 */
function staysQuorate(model: Model, lost: readonly string[], votes: ReadonlyMap<string, number> | undefined): boolean {
  const nodes = model.nodeList.filter((node) => node.kind === "cluster");
  const weights = votes ?? new Map(nodes.map((node) => [node.name, 1]));
  const away = new Set([...lost, ...nodes.filter((node) => !node.online).map((node) => node.name)]);
  let total = 0;
  let left = 0;
  for (const [name, weight] of weights) {
    total += weight;
    if (!away.has(name)) left += weight;
  }
  return left * 2 > total;
}

type Places = ReadonlyMap<string, { readonly nodes: readonly string[]; readonly promoted: readonly string[] }>;

/** Where each configured primitive runs, all its instances together. */
function placesOf(model: Model): Places {
  const places = new Map<string, { nodes: string[]; promoted: string[] }>();
  for (const top of model.resources) {
    for (const primitive of primitivesOf(top)) {
      if (primitive.role <= ROLE.stopped) continue;
      const place = places.get(primitive.configId) ?? { nodes: [], promoted: [] };
      places.set(primitive.configId, place);
      for (const node of primitive.activeNodes) {
        if (!node.online || node.unclean) continue;
        place.nodes.push(node.name);
        if (roleName(primitive.role) === "Promoted") place.promoted.push(node.name);
      }
    }
  }
  return places;
}

function compare(before: Places, after: Places): BlastEffect[] {
  const effects: BlastEffect[] = [];
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort(compareText);
  for (const resource of ids) {
    const old = before.get(resource) ?? { nodes: [], promoted: [] };
    const fresh = after.get(resource) ?? { nodes: [], promoted: [] };
    const from = minus(old.nodes, fresh.nodes);
    const to = minus(fresh.nodes, old.nodes);
    if (fresh.nodes.length === 0 && old.nodes.length > 0) effects.push({ resource, effect: "stopped", from, to });
    else if (to.length > 0) effects.push({ resource, effect: "moved", from, to });
    else if (from.length > 0) effects.push({ resource, effect: "reduced", from, to });
    const promoted = minus(fresh.promoted, old.promoted);
    if (promoted.length > 0) effects.push({ resource, effect: "promoted", from: minus(old.promoted, fresh.promoted), to: promoted });
  }
  return effects;
}

function minus(all: readonly string[], without: readonly string[]): string[] {
  return all.filter((name) => !without.includes(name)).sort(compareText);
}
