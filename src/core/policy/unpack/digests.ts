import type { Model } from "../model.ts";
import type { HistoryEntry } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { operationElement, operationTimeoutMs } from "./operations.ts";
import { operationParameters, parametersOf } from "./parameters.ts";
import { compareVersions } from "./values.ts";

/** What comparing an entry with the present definition found (status.md 20.4). */
export type DigestFinding = "equal" | "unknown" | "mismatch" | "restart";

/** Digests of one (resource, operation, interval) on a node. */
export type Digests = {
  readonly full: string;
  readonly restart: string | null;
  readonly secure: string | null;
  readonly ownParameters: boolean;
};

const LEFT_OUT: ReadonlySet<string> = new Set(["id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip"]);

/** The parameters an agent is called with on a node: resource's, then the operation's own, `#uname` resolved (status.md 7.13). */
export function actionParameters(
  model: Model,
  resource: Resource,
  task: string,
  intervalMs: number,
  node: PolicyNode | null,
): ReadonlyMap<string, string> {
  const own = operationParameters(model, resource, operationElement(resource, task, intervalMs), node);
  const parameters = parametersOf(model, resource, node);
  const host = connectionHost(resource, parameters);
  if (own.size === 0 && host === null) return parameters;
  const all = new Map(parameters);
  if (host !== null) all.set("addr", host);
  for (const [name, value] of own) if (!all.has(name)) all.set(name, value);
  return all;
}

/** Whether the connection's address depends on where its container is placed. */
export function addressIsHost(model: Model, resource: Resource): boolean {
  return resource.isRemoteConnection && resource.launcher !== null && parametersOf(model, resource, null).get("addr") === "#uname";
}

function connectionHost(resource: Resource, parameters: ReadonlyMap<string, string>): string | null {
  if (!resource.isRemoteConnection || resource.launcher === null || parameters.get("addr") !== "#uname") return null;
  const host = resource.launcher.node ?? currentNodeOf(resource.launcher);
  return host?.name ?? null;
}

/** The text that is hashed (status.md 20.1). */
export function digestText(pairs: Iterable<readonly [string, string]>): string {
  const sorted = [...pairs].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const attributes = sorted.map(([name, value]) => ` ${name}="${escapeValue(value)}"`).join("");
  return ` <parameters${attributes}/>\n`;
}

function escapeValue(value: string): string {
  let text = "";
  for (const character of value) {
    const code = character.charCodeAt(0);
    if (character === "<") text += "&lt;";
    else if (character === ">") text += "&gt;";
    else if (character === "&") text += "&amp;";
    else if (character === '"') text += "&quot;";
    else if (code < 32 || code === 127) text += `&#x${code.toString(16).toUpperCase().padStart(2, "0")};`;
    else text += character;
  }
  return text;
}

/** Computed once per node and operation key and reused for other entries with that key (status.md 20.4). */
export function digestsOf(model: Model, resource: Resource, entry: HistoryEntry, task: string, node: PolicyNode): Digests {
  const key = `${resource.id}\u0000${node.index}\u0000${task}_${entry.intervalMs}`;
  const cached = model.caches.digests.get(key) as Digests | undefined;
  if (cached !== undefined) return cached;
  const digests = compute(model, resource, entry, task, node);
  model.caches.digests.set(key, digests);
  return digests;
}

function compute(model: Model, resource: Resource, entry: HistoryEntry, task: string, node: PolicyNode): Digests {
  const { intervalMs } = entry;
  const own = operationParameters(model, resource, operationElement(resource, task, intervalMs), node);
  const pairs = digestPairs(actionParameters(model, resource, task, intervalMs, node));
  if (intervalMs > 0) pairs.set("CRM_meta_timeout", String(operationTimeoutMs(model, resource, task, intervalMs)));
  return {
    full: model.hash(digestText(pairs)),
    restart: entry.restartDigest === null ? null : model.hash(digestText(restartPairs(pairs, entry))),
    secure: entry.secureDigest === null ? null : model.hash(digestText(securePairs(model, resource, entry, node, pairs))),
    ownParameters: own.size > 0,
  };
}

/** Without private and internal names. */
export function digestPairs(parameters: ReadonlyMap<string, string>): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [name, value] of parameters) if (!LEFT_OUT.has(name) && !name.startsWith("CRM_meta_")) pairs.set(name, value);
  return pairs;
}

function restartPairs(pairs: ReadonlyMap<string, string>, entry: HistoryEntry): Iterable<readonly [string, string]> {
  if (entry.restartParameters === null) return pairs;
  const names = new Set(entry.restartParameters.split(/\s+/));
  return [...pairs].filter(([name]) => names.has(name));
}

function securePairs(
  model: Model,
  resource: Resource,
  entry: HistoryEntry,
  node: PolicyNode,
  pairs: ReadonlyMap<string, string>,
): Iterable<readonly [string, string]> {
  const hidden = new Set((entry.secureParameters ?? "").split(/\s+/));
  const old = entry.featureSet !== null && compareVersions(entry.featureSet, "3.16.0") < 0;
  const source = old ? digestPairs(parametersOf(model, resource, node)) : pairs;
  return [...source].filter(([name]) => !hidden.has(name) && !(old && resource.isFenceDevice && name.startsWith("pcmk_")));
}

/** Compares an entry with the definition (status.md 20.4). One-time monitor, promote and migrate_from compare as `start`: pass `task`. */
export function compareDigests(model: Model, resource: Resource, entry: HistoryEntry, node: PolicyNode, task = entry.task): DigestFinding {
  const digests = digestsOf(model, resource, entry, task, node);
  if (entry.restartDigest !== null && digests.restart !== null && digests.restart !== entry.restartDigest) return "restart";
  if (entry.digest === null) return "unknown";
  if (digests.full === entry.digest) return "equal";
  if (entry.secureDigest !== null && digests.secure === entry.secureDigest) return "equal";
  return entry.intervalMs === 0 && digests.ownParameters ? "restart" : "mismatch";
}
