import { type Hash, QuorateError } from "../../base/index.ts";
import { attributeOf, childOf, childrenOf, type Element, idOf, walk } from "../../cib/index.ts";
import type { Model, ScheduleOptions } from "../model.ts";
import { topOf } from "../model-queries.ts";
import { ROLE } from "../model-values.ts";
import { blocksOf } from "./blocks.ts";
import { unpackNodes } from "./nodes.ts";
import { unpackOptions } from "./options.ts";
import { unpackResources } from "./resources.ts";
import type { Clock, Lookup } from "./rules.ts";
import { unpackStatus } from "./status.ts";
import { compareVersions, isTrue, parseBoolean, parseInteger } from "./values.ts";

export type { Block } from "./blocks.ts";
export { parseDate } from "./dates.ts";
export { rawFailCount } from "./fail-counts.ts";
export type { HistoryIndex } from "./history.ts";
export { nodeByName } from "./nodes.ts";
export { blockResource } from "./presence.ts";
export { evaluateRule, type Lookup, type RuleContext, substitute } from "./rules.ts";
export { addScore, addScoreEverywhere, banTarget } from "./scores.ts";

/** The feature set whose CIBs this engine understands; newer ones are refused (status.md 1.1). */
export const FEATURE_SET = "3.20.5";

/**
 * Reads configuration and status into a model (status.md): what is, not yet what shall be. `cib` must have been
 * upgraded. Throws `QuorateError` with code CIB_NOT_A_CIB or CIB_TOO_NEW.
 */
export function unpack(cib: Element, nowMs: number, hash: Hash, want: ScheduleOptions = {}): Model {
  const configuration = childOf(cib, "configuration");
  if (cib.name !== "cib" || configuration === undefined) {
    throw new QuorateError("the input is not a <cib> with a configuration", { code: "CIB_NOT_A_CIB" });
  }
  const featureSet = attributeOf(cib, "crm_feature_set") ?? null;
  if (featureSet !== null && compareVersions(featureSet, FEATURE_SET) > 0) {
    throw new QuorateError(`the input has feature set ${featureSet}, newer than ${FEATURE_SET}`, { code: "CIB_TOO_NEW" });
  }
  const model = emptyModel(cib, configuration, { nowSec: Math.floor(nowMs / 1000), hash, want, featureSet });
  unpackNodes(model, configuration);
  const resources = childOf(configuration, "resources");
  if (resources !== undefined) unpackResources(model, resources);
  unpackStatus(model, model.statusElement);
  computeNodePriorities(model);
  model.counts = countResources(model);
  return model;
}

function emptyModel(
  cib: Element,
  configuration: Element,
  given: { readonly nowSec: number; readonly hash: Hash; readonly want: ScheduleOptions; readonly featureSet: string | null },
): Model {
  const warnings: string[] = [];
  const clock: Clock = { nowSec: given.nowSec, recheckAtSec: 0 };
  const lookup = idLookup(configuration);
  const quorate = parseBoolean(attributeOf(cib, "have-quorum")) === true;
  const panic = parseInteger(attributeOf(cib, "no-quorum-panic")) ?? 0;
  const options = unpackOptions(configuration, { clock, lookup, warnings, quorate, panic });
  const defaults = (section: string): readonly Element[] => childrenOf(configuration, section);
  return {
    cib,
    statusElement: childOf(cib, "status"),
    nowSec: given.nowSec,
    hash: given.hash,
    want: given.want,
    options,
    quorate,
    featureSet: given.featureSet,
    nodes: [],
    nodeList: [],
    nodesByName: new Map(),
    nodesById: new Map(),
    dc: null,
    resources: [],
    resourcesById: new Map(),
    primitives: [],
    templates: templateUsers(configuration),
    tags: tagsOf(configuration),
    tickets: new Map(),
    fencingDevicesExist: false,
    unfencingActive: mentionsUnfencing(configuration),
    hasRemoteNodes: false,
    needs: [],
    failures: [],
    recheckAtSec: clock.recheckAtSec,
    warnings,
    counts: { primitives: 0, disabled: 0, blocked: 0 },
    caches: {
      lookup,
      resourceDefaults: blocksOf(defaults("rsc_defaults"), "meta_attributes", lookup, options),
      operationDefaults: blocksOf(defaults("op_defaults"), "meta_attributes", lookup, options),
      seed: null,
      parameterBlocks: new Map(),
      parameters: new Map(),
      settings: new Map(),
      digests: new Map(),
      histories: null,
    },
    locations: [],
    colocations: [],
    orders: [],
    ticketConstraints: [],
    reports: [],
    promotions: [],
  };
}

/** Elements of the configuration by id, indexed at the first question: most configurations have no references. */
function idLookup(configuration: Element): Lookup {
  let index: Map<string, Element> | null = null;
  return (id) => {
    if (index === null) {
      index = new Map();
      for (const found of walk(configuration)) {
        const foundId = idOf(found);
        if (foundId !== undefined && !index.has(foundId) && attributeOf(found, "id-ref") === undefined) index.set(foundId, found);
      }
    }
    return index.get(id);
  };
}

/** Resources derived from each template, in document order (status.md 25.4). */
function templateUsers(configuration: Element): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  const resources = childOf(configuration, "resources");
  if (resources === undefined) return users;
  for (const template of childrenOf(resources, "template")) users.set(idOf(template) ?? "", []);
  if (users.size === 0) return users;
  for (const found of walk(resources)) {
    const template = found.name === "primitive" ? attributeOf(found, "template") : undefined;
    if (template !== undefined) users.get(template)?.push(idOf(found) ?? "");
  }
  return users;
}

function tagsOf(configuration: Element): ReadonlyMap<string, readonly string[]> {
  const tags = new Map<string, string[]>();
  const section = childOf(configuration, "tags");
  for (const tag of section === undefined ? [] : childrenOf(section, "tag")) {
    const id = idOf(tag);
    if (id === undefined) continue;
    const listed = tags.get(id) ?? [];
    for (const reference of childrenOf(tag, "obj_ref")) {
      const target = idOf(reference);
      if (target !== undefined && !listed.includes(target)) listed.push(target);
    }
    tags.set(id, listed);
  }
  return tags;
}

/** Literal test of status.md 5.4. */
function mentionsUnfencing(configuration: Element): boolean {
  const inBlock = (block: Element): boolean =>
    block.children.some((pair) => {
      const name = pair.name === "nvpair" ? attributeOf(pair, "name") : undefined;
      return (name === "provides" || name === "requires") && attributeOf(pair, "value") === "unfencing";
    });
  const resources = childOf(configuration, "resources");
  if (resources !== undefined) {
    for (const found of walk(resources)) if (found.name === "meta_attributes" && inBlock(found)) return true;
  }
  return childrenOf(configuration, "rsc_defaults").some((section) => childrenOf(section, "meta_attributes").some(inBlock));
}

/** status.md 28.3. */
function countResources(model: Model): Model["counts"] {
  const counts = { primitives: 0, disabled: 0, blocked: 0 };
  for (const resource of model.primitives) {
    if (resource.removed && resource.activeNodes.length === 0) continue;
    counts.primitives++;
    if (resource.targetRole === ROLE.stopped || (resource.targetRole === ROLE.unpromoted && topOf(resource).promotable)) counts.disabled++;
    if (resource.blocked) counts.blocked++;
  }
  return counts;
}

/** status.md 21.10. */
function computeNodePriorities(model: Model): void {
  for (const node of model.nodes) {
    for (const resource of node.active) {
      if (resource.priority === 0 || resource.failed) continue;
      const amount = resource.priority + (resource.role === ROLE.promoted ? 1 : 0);
      node.priority += amount;
      const launcher = node.isGuest ? node.launcher : null;
      if (launcher !== null) for (const host of launcher.activeNodes) host.priority += amount;
    }
  }
}

export {
  actionParameters,
  addressIsHost,
  compareDigests,
  type DigestFinding,
  type Digests,
  digestPairs,
  digestsOf,
  digestText,
} from "./digests.ts";
export { effectiveFailCount, nodeFailCounts, reachesThreshold } from "./fail-counts.ts";
export { canFence, fenceNode, markFailedStop } from "./fencing.ts";
export { RC, STATUS } from "./history.ts";
export { failurePlan } from "./on-fail.ts";
export { operationElement, operationFor, operationSettings, operationTimeoutMs } from "./operations.ts";
export { operationParameters, parametersOf } from "./parameters.ts";
export { noteRecheck } from "./rules.ts";
export { firstRunningIndex } from "./status.ts";
export { parseBoolean, parseDurationMs, parseInteger, parseRole, parseScore, parseSimpleDurationMs, wholeSeconds } from "./values.ts";
export { isTrue };
