import { type Hash, QuorateError } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import { type Model, type Plan, type PolicyNode, place, type Resource, ROLE, schedule } from "../policy/index.ts";
import { actionsInLoops } from "../transition/index.ts";
import { findResources } from "./explain.ts";
import { applyChange, type ProposedChange } from "./explain-changes.ts";
import { type Obstacles, obstaclesAt, orderObstacles } from "./obstacles.ts";

/** A set of changes; `node` is where the resource then runs. */
export type Proposal = { readonly changes: readonly ProposedChange[]; readonly node: string };

/** What the question is about: an (upgraded) CIB and the time it is true for. */
export type Question = { readonly cib: Element; readonly nowMs: number; readonly hash: Hash };

/** Runs of the engine that one question may cost in a small cluster. */
export const PROPOSAL_RUNS_MAX = 40;
/** In a large one fewer: a run walks nodes times resources, and somebody waits for the answer. */
const PROPOSAL_WORK_MAX = 32_000;
const PROPOSAL_RUNS_MIN = 4;
/** Kept back from the trying of small sets, for cutting a large one down. */
const RUNS_FOR_CUTTING = 12;
/** Changes tried together on top of those that are needed anyhow. */
const TOGETHER_MAX = 2;

/**
 * The least that would make a resource run (on `node`, or anywhere), found by running the engine on the changed
 * configuration: what it promises has been seen to follow from the actions of one transition. Changes without which
 * nothing helps are taken first; on top of them sets of up to `TOGETHER_MAX` are tried, the smallest first; then all that
 * may help, cut down to a set from which nothing can be left out. `changes` is empty when it will run there as things
 * are; null: nothing that was tried helps. Throws `QuorateError` RESOURCE_UNKNOWN or NODE_UNKNOWN.
 */
export function proposeChanges(cib: Element, nowMs: number, hash: Hash, resource: string, node: string | null = null): Proposal | null {
  return proposeFrom(schedule(cib, nowMs, hash, { explain: true }), { cib, nowMs, hash }, resource, node);
}

/** The same from a plan of the question that was made with `explain: true`. */
export function proposeFrom(plan: Plan, question: Question, resource: string, node: string | null = null): Proposal | null {
  const { model } = plan;
  if (findResources(model, resource).length === 0) throw new QuorateError(`there is no resource ${resource}`, { code: "RESOURCE_UNKNOWN" });
  const wanted = node === null ? null : model.nodesByName.get(node.toLowerCase());
  if (wanted === undefined) throw new QuorateError(`there is no node ${node ?? ""}`, { code: "NODE_UNKNOWN" });
  const places = placesAfter(plan, resource);
  const there = wanted === null ? places[0] : places.find((name) => name === wanted.name);
  if (there !== undefined) return { changes: [], node: there };
  const nodes = wanted === null ? model.nodeList : [wanted];
  return new Search(question, resource, runsFor(model)).first(plan, nodes);
}

function runsFor(model: Model): number {
  const size = Math.max(1, model.nodes.length * model.primitives.length);
  return Math.min(PROPOSAL_RUNS_MAX, Math.max(PROPOSAL_RUNS_MIN, Math.floor(PROPOSAL_WORK_MAX / size)));
}

/** Names of the nodes on which an instance of the resource is active, and not failed, after the transition; nodes that go down do not count. */
export function placesAfter(plan: Plan, resource: string): readonly string[] {
  const places = new Map<string, Set<string>>();
  for (const instance of findResources(plan.model, resource)) places.set(instance.id, activeOn(instance));
  const lost = new Set<string>();
  const begun: { readonly instance: string; readonly node: string }[] = [];
  for (const action of plan.graph.actions) {
    if (action.kind === "fence" && action.task !== "on") lost.add(action.node);
    if (action.kind === "cluster" && action.task === "do_shutdown") lost.add(action.node);
    if (action.kind !== "resource" || !places.has(action.instance)) continue;
    if (action.task === "stop") places.get(action.instance)?.delete(action.node);
    if (action.task === "start" || action.task === "migrate_from") begun.push(action);
  }
  // A restart stops and starts at the same place, so starts count last.
  for (const { instance, node } of begun) places.get(instance)?.add(node);
  return [...places.values()].flatMap((nodes) => [...nodes]).filter((name) => !lost.has(name));
}

function activeOn(instance: Resource): Set<string> {
  if (instance.role <= ROLE.stopped || instance.failed) return new Set();
  return new Set(instance.activeNodes.filter((node) => node.online && !node.unclean).map((node) => node.name));
}

/** One question's walk through sets of changes. */
class Search {
  readonly #question: Question;
  readonly #resource: string;
  readonly #tried = new Set<string>();
  #runs: number;

  constructor(question: Question, resource: string, runs: number) {
    this.#question = question;
    this.#resource = resource;
    this.#runs = runs;
  }

  /** Nodes with the fewest needed changes first, because no proposal for a node is smaller than those. */
  first(plan: Plan, nodes: readonly PolicyNode[]): Proposal | null {
    const open = nodes
      .map((node) => ({ node, obstacles: obstaclesAt(plan, this.#resource, node) }))
      .filter(({ obstacles }) => !obstacles.impossible)
      .sort((a, b) => a.obstacles.required.length - b.obstacles.required.length);
    let best: Proposal | null = null;
    for (const { node, obstacles } of open) {
      if (best !== null && best.changes.length <= obstacles.required.length + 1) break;
      const changes = this.#onNode(plan, node, obstacles);
      if (changes !== null && (best === null || changes.length < best.changes.length)) best = { changes, node: node.name };
    }
    return best;
  }

  #onNode(now: Plan, node: PolicyNode, { required, optional }: Obstacles): readonly ProposedChange[] | null {
    if (required.length === 0 && this.#isAssigned(now.model, node)) {
      const found = this.#withoutOrders(now, [], node);
      if (found !== null) return found;
    }
    for (let size = 0; size <= Math.min(TOGETHER_MAX, optional.length); size++) {
      for (const some of subsets(optional, size)) {
        if (size > 1 && this.#runs <= RUNS_FOR_CUTTING) break;
        const found = this.#tryWithOrders([...required, ...some], node);
        if (found !== null) return found;
        if (this.#runs === 0) return null;
      }
    }
    return optional.length <= TOGETHER_MAX ? null : this.#cutDown([...required, ...optional], node);
  }

  /** The changes; and if only orderings still hold the start back, those too. */
  #tryWithOrders(changes: readonly ProposedChange[], node: PolicyNode): readonly ProposedChange[] | null {
    const plan = this.#try(changes, node);
    if (plan === null) return null;
    return this.#isThere(plan, node) ? changes : this.#withoutOrders(plan, changes, node);
  }

  #withoutOrders(plan: Plan, changes: readonly ProposedChange[], node: PolicyNode): readonly ProposedChange[] | null {
    for (const change of orderObstacles(plan, this.#resource)) {
      const more = [...changes, change];
      const next = this.#try(more, node);
      if (next !== null && this.#isThere(next, node)) return more;
    }
    return null;
  }

  /** If all together help: leaves out what can be left out, one after the other. */
  #cutDown(all: readonly ProposedChange[], node: PolicyNode): readonly ProposedChange[] | null {
    const helps = (changes: readonly ProposedChange[]): boolean => {
      const plan = this.#try(changes, node);
      return plan !== null && this.#isThere(plan, node);
    };
    if (all.length >= this.#runs || !helps(all)) return null;
    return all.reduce((kept, change) => {
      const fewer = kept.filter((each) => each !== change);
      return helps(fewer) ? fewer : kept;
    }, all);
  }

  /** The plan after the changes, if the engine then assigns the resource to the node at all; null also when it was tried before. */
  #try(changes: readonly ProposedChange[], node: PolicyNode): Plan | null {
    const key = JSON.stringify([node.name, changes]);
    if (changes.length === 0 || this.#runs === 0 || this.#tried.has(key)) return null;
    this.#tried.add(key);
    this.#runs--;
    const { cib, nowMs, hash } = this.#question;
    const placed = place(changes.reduce(applyChange, cib), nowMs, hash);
    return this.#isAssigned(placed.model, node) ? placed.finish() : null;
  }

  #isAssigned(model: Model, node: PolicyNode): boolean {
    return findResources(model, this.#resource).some((each) => each.node?.name === node.name && each.nextRole !== ROLE.stopped);
  }

  /** A graph with a loop is never carried out to its end. */
  #isThere(plan: Plan, node: PolicyNode): boolean {
    return actionsInLoops(plan.graph).length === 0 && placesAfter(plan, this.#resource).includes(node.name);
  }
}

function* subsets(from: readonly ProposedChange[], size: number, begin = 0): Iterable<readonly ProposedChange[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let at = begin; at <= from.length - size; at++) {
    for (const rest of subsets(from, size - 1, at + 1)) yield [from[at]!, ...rest];
  }
}
