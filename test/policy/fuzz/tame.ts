import { attributeOf, type Element, withAttributes, withChildren } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import { all, edited, id } from "./tree.ts";

/**
 * Takes back most draws of shapes that drawing makes far more often than people do, and that crm_simulate 2.1.5 refuses (its
 * graph never ends) or is known to treat differently (exceptions.ts). Some stay, so the comparison still sees them. It has a
 * `draw` of its own: everything else in the CIB stays as it is.
 */
export function tamed(cib: Element, draw: Draw): Element {
  return withoutCloneMigration(withoutHoles(withoutLeftBehind(withoutBlocked(cib, draw), draw), draw));
}

/** Blocked and unmanaged resources amid orders and groups: each kind is kept in this share of its draws. */
const KEPT_PERCENT = 25;

function withoutBlocked(cib: Element, draw: Draw): Element {
  return edited(cib, (found) => {
    if (!isBlocking(found) || draw.chance(KEPT_PERCENT)) return found;
    if (found.name === "nvpair") return null;
    return found.name === "op" ? withAttributes(found, { "on-fail": null }) : succeeded(found);
  });
}

const BLOCKING: ReadonlySet<string> = new Set(["is-managed=false", "maintenance=true", "multiple-active=block"]);

function isBlocking(found: Element): boolean {
  if (found.name === "nvpair") return BLOCKING.has(`${attributeOf(found, "name")}=${attributeOf(found, "value")}`);
  if (found.name === "op") return attributeOf(found, "on-fail") === "block";
  return found.name === "lrm_rsc_op" && attributeOf(found, "operation") === "stop" && attributeOf(found, "rc-code") !== "0";
}

/** The entry of a stop that went well. */
function succeeded(entry: Element): Element {
  const key = attributeOf(entry, "transition-key") ?? "";
  return withAttributes(entry, {
    id: id(entry).replace("_last_failure_0", "_last_0"),
    "transition-magic": `0:0;${key}`,
    "rc-code": "0",
    "op-status": "0",
  });
}

/** Instances of clones on a node that went down in good order would have been stopped before. */
function withoutLeftBehind(cib: Element, draw: Draw): Element {
  const cloned = new Set(all(cib, "clone").flatMap((clone) => all(clone, "primitive").map(id)));
  return edited(cib, (state) => {
    if (state.name !== "node_state" || attributeOf(state, "crmd") !== "offline" || attributeOf(state, "expected") !== "down") return state;
    if (!draw.chance(90)) return state;
    return edited(state, (found) => {
      if (found.name !== "lrm_resource" || !cloned.has(id(found).replace(/:\d+$/, ""))) return found;
      const left = found.children.filter((entry) => attributeOf(entry, "rc-code") === "7");
      return left.length === found.children.length ? found : left.length === 0 ? null : withChildren(found, left);
    });
  });
}

/** A group's member is active where those before it have come up, or else it has been found stopped there. */
function withoutHoles(cib: Element, draw: Draw): Element {
  const groups = all(cib, "group").filter(() => draw.chance(98));
  const before = new Map<string, readonly string[]>();
  for (const group of groups) {
    const members = all(group, "primitive").map(id);
    members.forEach((member, at) => {
      before.set(member, members.slice(0, at));
    });
  }
  return edited(cib, (histories) => {
    if (histories.name !== "lrm_resources") return histories;
    const up = new Set(histories.children.filter(hasComeUp).map(id));
    return withChildren(
      histories,
      histories.children.map((history) => {
        const [, member = "", number = ""] = /^(.*?)(:\d+)?$/.exec(id(history)) ?? [];
        if (!isActive(history)) return history;
        if ((before.get(member) ?? []).every((other) => up.has(`${other}${number}`))) return history;
        up.delete(id(history));
        return withChildren(history, [stoppedInstead(history)]);
      }),
    );
  });
}

/**
 * Promotable instances do not migrate, nor clones amid connections: what moves to one that comes up meanwhile, 2.1.5 counts as
 * not starting or shows as failed when it has arrived.
 */
function withoutCloneMigration(cib: Element): Element {
  const connects = (found: Element): boolean =>
    found.name === "nvpair" ? attributeOf(found, "name") === "remote-node" : attributeOf(found, "type") === "remote";
  const connected = all(cib, "primitive", "nvpair").some(connects);
  const isPair = (found: Element, name: string): boolean => found.name === "nvpair" && attributeOf(found, "name") === name;
  return edited(cib, (found) => {
    if (found.name !== "clone" || !(connected || all(found, "nvpair").some((pair) => isPair(pair, "promotable")))) return found;
    return edited(found, (inner) => (isPair(inner, "allow-migrate") ? null : inner));
  });
}

/** It was started or promoted there. */
export function isActive(history: Element): boolean {
  return history.children.some((entry) => ["start", "promote"].includes(attributeOf(entry, "operation") ?? ""));
}

function hasComeUp(history: Element): boolean {
  return (
    isActive(history) &&
    history.children.every((entry) => attributeOf(entry, "operation") !== "start" || attributeOf(entry, "rc-code") === "0")
  );
}

/** One entry: a probe that found nothing. */
function stoppedInstead(history: Element): Element {
  const [first] = history.children;
  const name = id(history);
  const key = (attributeOf(first!, "transition-key") ?? "").replace(/^(\d+:\d+):\d+:/, "$1:7:");
  return withAttributes(first!, {
    id: `${name}_last_0`,
    operation_key: `${name}_monitor_0`,
    operation: "monitor",
    interval: "0",
    "transition-key": key,
    "transition-magic": `0:7;${key}`,
    "rc-code": "7",
    "op-status": "0",
    "call-id": "2",
    "op-force-restart": null,
    "op-restart-digest": null,
  });
}
