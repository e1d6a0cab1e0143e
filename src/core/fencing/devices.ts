import { INFINITY_SCORE } from "../base/index.ts";
import {
  type ActionSpec,
  attributeOf,
  type CibState,
  childrenOf,
  type Element,
  type FencingAction,
  propertyOf,
  renderConfiguration,
  walk,
} from "../cib/index.ts";

/** Timeout of one run of a device when nothing names one (`fencing-timeout`), milliseconds. */
export const FENCING_TIMEOUT_DEFAULT_MS = 60_000;
/** Runs of one device in one round when `pcmk_<action>_retries` is not given. */
export const FENCING_TRIES_DEFAULT = 2;

/** A `stonith` primitive as far as fencing needs it. */
export type FencingDevice = {
  readonly id: string;
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly priority: number;
  /** Nodes on which it may not run (location constraints of -INFINITY). */
  readonly banned: ReadonlySet<string>;
};

/** All usable devices in order of priority, then id. Disabled ones (`target-role=Stopped`) are left out. */
export function devicesOf(state: CibState): readonly FencingDevice[] {
  const configuration = renderConfiguration(state);
  const templates = new Map<string, Element>();
  const bans = new Map<string, Set<string>>();
  const devices: FencingDevice[] = [];
  for (const found of walk(configuration)) {
    if (found.name === "template") templates.set(attributeOf(found, "id") ?? "", found);
    if (found.name === "rsc_location") noteBan(found, bans);
  }
  for (const found of walk(configuration)) {
    if (found.name !== "primitive") continue;
    const template = templates.get(attributeOf(found, "template") ?? "");
    if ((attributeOf(found, "class") ?? (template && attributeOf(template, "class"))) !== "stonith") continue;
    const meta = pairsOf(found, template, "meta_attributes");
    if (meta["target-role"]?.toLowerCase() === "stopped") continue;
    const id = attributeOf(found, "id") ?? "";
    const type = attributeOf(found, "type") ?? (template && attributeOf(template, "type")) ?? "";
    const params = pairsOf(found, template, "instance_attributes");
    const priority = Number.parseInt(params["priority"] ?? meta["priority"] ?? "0", 10) || 0;
    devices.push({ id, type, params, priority, banned: bans.get(id) ?? new Set() });
  }
  return devices.sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1));
}

function noteBan(constraint: Element, bans: Map<string, Set<string>>): void {
  const resource = attributeOf(constraint, "rsc");
  const node = attributeOf(constraint, "node");
  const score = attributeOf(constraint, "score");
  if (resource === undefined || node === undefined || score === undefined) return;
  const minus = score === "-INFINITY" || Number.parseInt(score, 10) <= -INFINITY_SCORE;
  if (!minus) return;
  const nodes = bans.get(resource) ?? new Set<string>();
  nodes.add(node);
  bans.set(resource, nodes);
}

function pairsOf(of: Element, template: Element | undefined, block: string): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  for (const source of template === undefined ? [of] : [of, template]) {
    for (const set of childrenOf(source, block)) {
      for (const pair of childrenOf(set, "nvpair")) {
        const name = attributeOf(pair, "name");
        const value = attributeOf(pair, "value");
        if (name !== undefined && value !== undefined && !Object.hasOwn(pairs, name)) pairs[name] = value;
      }
    }
  }
  return pairs;
}

/**
 * Can the device act on the target? By `pcmk_host_list`, `pcmk_host_map` or `pcmk_host_check=none` (Pacemaker
 * Explained: Fencing). Asking the device for its list is not supported: such a device is never chosen.
 */
export function canFence(device: FencingDevice, target: string): boolean {
  const list = (device.params["pcmk_host_list"] ?? "").split(/[\s,;]+/);
  const map = (device.params["pcmk_host_map"] ?? "").split(/[\s;]+/).map((entry) => entry.split(/[:=]/)[0] ?? "");
  if (list.includes(target) || map.includes(target)) return true;
  return device.params["pcmk_host_check"]?.toLowerCase() === "none";
}

/** The devices of one level must all succeed. Without a topology each device that can fence the target is a level. */
export type FencingLevel = { readonly level: number; readonly devices: readonly FencingDevice[] };

/** Levels for the target in the order in which they are tried (Pacemaker Explained: Fencing Topologies). */
export function levelsFor(state: CibState, target: string): readonly FencingLevel[] {
  const devices = devicesOf(state);
  const byId = new Map(devices.map((device) => [device.id, device]));
  const levels: FencingLevel[] = [];
  for (const found of walk(renderConfiguration(state))) {
    if (found.name !== "fencing-level" || !levelTargets(state, found, target)) continue;
    const ids = (attributeOf(found, "devices") ?? "").split(",").map((id) => id.trim());
    const chosen = ids.map((id) => byId.get(id)).filter((device) => device !== undefined);
    if (chosen.length === ids.length) levels.push({ level: Number.parseInt(attributeOf(found, "index") ?? "0", 10), devices: chosen });
  }
  if (levels.length > 0) return levels.sort((a, b) => a.level - b.level);
  return devices.filter((device) => canFence(device, target)).map((device, at) => ({ level: at + 1, devices: [device] }));
}

function levelTargets(state: CibState, level: Element, target: string): boolean {
  if (attributeOf(level, "target") === target) return true;
  const pattern = attributeOf(level, "target-pattern");
  if (pattern !== undefined) {
    try {
      return new RegExp(`^(?:${pattern})$`).test(target);
    } catch {
      return false;
    }
  }
  const name = attributeOf(level, "target-attribute");
  if (name === undefined) return false;
  const node = state.nodes.get(target);
  const configured = node === undefined ? undefined : state.sections.nodes.objects.get(node.id)?.element;
  for (const set of configured === undefined ? [] : childrenOf(configured, "instance_attributes")) {
    for (const pair of childrenOf(set, "nvpair")) {
      if (attributeOf(pair, "name") === name) return attributeOf(pair, "value") === attributeOf(level, "target-value");
    }
  }
  return false;
}

/** The agent action by which `device` is to act on `target`, run on `by`. */
export function deviceAction(
  state: CibState,
  device: FencingDevice,
  of: { readonly target: string; readonly action: FencingAction; readonly by: string },
): ActionSpec {
  const operation = device.params[`pcmk_${of.action}_action`] ?? of.action;
  const timeout = device.params[`pcmk_${of.action}_timeout`] ?? propertyOf(state, "fencing-timeout", "stonith-timeout");
  return {
    resource: device.id,
    agentClass: "stonith",
    provider: null,
    type: device.type,
    operation,
    intervalMs: 0,
    timeoutMs: secondsToMs(timeout) ?? FENCING_TIMEOUT_DEFAULT_MS,
    params: device.params,
    meta: {},
    node: of.by,
    target: of.target,
  };
}

export function triesOf(device: FencingDevice, action: FencingAction): number {
  const value = Number.parseInt(device.params[`pcmk_${action}_retries`] ?? "", 10);
  return Number.isNaN(value) || value < 1 ? FENCING_TRIES_DEFAULT : value;
}

function secondsToMs(text: string | undefined): number | null {
  const parts = /^\s*(\d+)\s*(ms|m|min|s|sec)?/i.exec(text ?? "");
  if (parts === null) return null;
  const unit = (parts[2] ?? "s").toLowerCase();
  return Number.parseInt(parts[1] ?? "0", 10) * (unit === "ms" ? 1 : unit.startsWith("m") ? 60_000 : 1000);
}
