import { createHash } from "node:crypto";
import { attributeOf, childOf, type Element, element, withAttributes, withChildren } from "../../../src/core/cib/index.ts";
import { type Draw, NOW_SEC } from "./draw.ts";
import { added, all, edited, id } from "./tree.ts";

/** Changes of what status remembers, laid over a drawn CIB (extras.ts). */
export const EXTRA_HISTORY: readonly { readonly percent: number; readonly apply: (draw: Draw, cib: Element) => Element }[] = [
  { percent: 36, apply: reloadable },
  { percent: 4, apply: otherAgent },
  // Rare: 2.1.5 takes the cancellation in a transition that also stops the resource for a sign of life (exceptions.ts).
  { percent: 0.7, apply: otherInterval },
  { percent: 6, apply: migrated },
  { percent: 5, apply: shutdownLock },
  { percent: 50, apply: insideNodes },
];

function isDummy(of: Element): boolean {
  return attributeOf(of, "type") === "Dummy" && of.children.some((entry) => attributeOf(entry, "operation") === "start");
}

/** Changes one of the histories that are wanted. */
function oneHistory(draw: Draw, cib: Element, wanted: (found: Element) => boolean, change: (history: Element) => Element): Element {
  const count = all(cib, "lrm_resource").filter(wanted).length;
  let left = count === 0 ? -1 : draw.below(count);
  return edited(cib, (found) => (found.name === "lrm_resource" && wanted(found) && left-- === 0 ? change(found) : found));
}

/** Parameters changed since the start, but not those that need a restart. */
function reloadable(draw: Draw, cib: Element): Element {
  const states = new Map<string, string>();
  for (const primitive of all(cib, "primitive"))
    for (const pair of all(primitive, "nvpair"))
      if (attributeOf(pair, "name") === "state") states.set(id(primitive), attributeOf(pair, "value") ?? "");
  const base = (history: Element): string => id(history).replace(/:\d+$/, "");
  return edited(cib, (history) => {
    const state = states.get(base(history));
    if (history.name !== "lrm_resource" || state === undefined || !isDummy(history) || draw.chance(30)) return history;
    const kept = createHash("md5").update(` <parameters state="${state}"/>\n`).digest("hex");
    const restart = draw.chance(85) ? kept : "0123456789abcdef0123456789abcdef";
    const changed = { "op-digest": "fedcba9876543210fedcba9876543210", "op-force-restart": " state ", "op-restart-digest": restart };
    return edited(history, (entry) => (attributeOf(entry, "operation") === "start" ? withAttributes(entry, changed) : entry));
  });
}

/**
 * The history is of another agent than what is configured now. Of what is ordered after a group or clone in which that restarts
 * something, 2.1.5 restarts some and some not, as they happen to be defined: most such histories are of others.
 */
function otherAgent(draw: Draw, cib: Element): Element {
  const ordered = all(cib, "rsc_order").flatMap((order) => [order, ...all(order, "resource_ref")]);
  const firsts = new Set(ordered.map((one) => attributeOf(one, "first") ?? id(one)));
  const leaders = draw.chance(8) ? [] : all(cib, "group", "clone").filter((top) => firsts.has(id(top)));
  const led = new Set(leaders.flatMap((top) => all(top, "primitive").map(id)));
  return oneHistory(
    draw,
    cib,
    (found) => attributeOf(found, "type") === "Dummy" && !led.has(id(found).replace(/:\d+$/, "")),
    (history) => withAttributes(history, { type: "Former" }),
  );
}

/** A recurring operation had another interval when it was started. */
function otherInterval(draw: Draw, cib: Element): Element {
  const recurs = (found: Element): boolean => found.children.some((entry) => attributeOf(entry, "id")?.endsWith("_monitor_10000") === true);
  return oneHistory(draw, cib, recurs, (history) =>
    edited(history, (entry) => {
      if (attributeOf(entry, "id")?.endsWith("_monitor_10000") !== true) return entry;
      const key = `${id(history)}_monitor_7000`;
      return withAttributes(entry, { id: key, operation_key: key, interval: "7000" });
    }),
  );
}

/** A live migration that came to a certain point: asked for, half way, not cleaned up after, or failed. */
function migrated(draw: Draw, cib: Element): Element {
  const states = all(cib, "node_state");
  const online = states.filter((state) => attributeOf(state, "crmd") === "online");
  const [source, target] = [draw.pick(online), draw.pick(online)];
  if (source === target) return cib;
  const primitive = all(cib, "primitive").find(
    (one) => /^A\d$/.test(id(one)) && all(one, "nvpair").some((pair) => attributeOf(pair, "name") === "allow-migrate"),
  );
  if (primitive === undefined) return cib;
  const ends = { migrate_source: attributeOf(source, "uname") ?? "", migrate_target: attributeOf(target, "uname") ?? "" };
  const digest = { "op-digest": parametersDigest(primitive) };
  const how = draw.pick(["pending", "half", "dangling", "to-failed", "from-failed"]);
  const rest = edited(cib, (found) => (found.name === "lrm_resource" && id(found) === id(primitive) ? null : found));
  const at = (state: Element, entries: readonly (Element | null)[]): ((found: Element) => Element) => {
    const history = element(
      "lrm_resource",
      { id: id(primitive), class: "ocf", provider: "pacemaker", type: "Dummy" },
      entries.filter((entry) => entry !== null),
    );
    return (found) => (found.name === "node_state" && id(found) === id(state) ? added(found, "lrm_resources", [history]) : found);
  };
  const entry = (call: number, task: string, rc: number, extra: Record<string, string> = ends): Element =>
    entryOf(id(primitive), {
      task,
      rc,
      call,
      on: task === "migrate_to" ? ends.migrate_source : ends.migrate_target,
      extra: { ...extra, ...digest },
    });
  const onSource = [how === "pending" ? entry(-1, "migrate_to", 193) : entry(12, "migrate_to", how === "to-failed" ? 1 : 0)];
  const onTarget =
    how === "dangling" || how === "from-failed" ? [entry(8, "migrate_from", how === "dangling" ? 0 : 1)] : [entry(3, "monitor", 7, {})];
  return edited(edited(rest, at(source, onSource)), at(target, onTarget));
}

/** What is recorded with an operation, so that unchanged parameters are known as such. */
export function parametersDigest(primitive: Element): string {
  const pairs = (childOf(primitive, "instance_attributes")?.children ?? []).map((pair) => [
    attributeOf(pair, "name") ?? "",
    attributeOf(pair, "value") ?? "",
  ]);
  const attributes = pairs.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)).map(([name, value]) => ` ${name}="${value}"`);
  return createHash("md5")
    .update(` <parameters${attributes.join("")}/>\n`)
    .digest("hex");
}

function entryOf(
  name: string,
  how: { readonly task: string; readonly rc: number; readonly call: number; readonly on: string; readonly extra: Record<string, string> },
): Element {
  const expected = how.task === "monitor" ? 7 : 0;
  const key = `7:5:${expected}:11111111-2222-3333-4444-555555555555`;
  const status = how.rc === 193 ? -1 : how.rc === expected ? 0 : 4;
  return element("lrm_rsc_op", {
    id: status === 4 ? `${name}_last_failure_0` : `${name}_last_0`,
    operation_key: `${name}_${how.task}_0`,
    operation: how.task,
    interval: "0",
    "transition-key": key,
    "transition-magic": `${status}:${how.rc};${key}`,
    on_node: how.on,
    "call-id": String(how.call),
    "rc-code": String(how.rc),
    "op-status": String(status),
    "last-rc-change": String(NOW_SEC - 200),
    crm_feature_set: "3.15.0",
    ...how.extra,
  });
}

/** What was on a node that went down in good order waits for it, if locks are in use. */
function shutdownLock(draw: Draw, cib: Element): Element {
  const options: Record<string, string> = { "shutdown-lock": "true" };
  if (draw.chance(40)) options["shutdown-lock-limit"] = draw.pick(["10min", "1h"]);
  const configured = edited(cib, (found) =>
    found.name === "cluster_property_set"
      ? withChildren(found, [...found.children, ...draw.block("meta_attributes", options).children])
      : found,
  );
  // Locks are made when a cluster node shuts down, for what is neither cloned nor in a bundle (status.md 24.3), and what makes
  // a guest takes along what is on it.
  const leaving = id(
    all(cib, "node_state")
      .filter((state) => attributeOf(state, "remote_node") !== "true")
      .at(-1)!,
  );
  const makesGuest = (one: Element): boolean => all(one, "nvpair").some((pair) => attributeOf(pair, "name") === "remote-node");
  const free = [...all(cib, "clone", "bundle").flatMap((top) => all(top, "primitive")), ...all(cib, "primitive").filter(makesGuest)];
  const unlocked = new Set(free.map(id));
  const left = draw.chance(50);
  const since = String(NOW_SEC - draw.pick([100, 2000, 5000]));
  return edited(configured, (found) => {
    if (found.name !== "node_state" || id(found) !== leaving) return found;
    if (!left) return withRequest(draw, found, since);
    const gone = withAttributes(found, { in_ccm: "false", crmd: "offline", join: "down", expected: "down" });
    return edited(gone, (history) => {
      if (history.name !== "lrm_resource" || !isDummy(history) || unlocked.has(id(history).replace(/:\d+$/, ""))) return history;
      return locked(history, since);
    });
  });
}

function locked(history: Element, since: string): Element {
  return withChildren(withAttributes(history, { "shutdown-lock": since }), []);
}

/** A shutdown request, in a block of its own beside what there is. */
function withRequest(draw: Draw, state: Element, since: string): Element {
  if (all(state, "nvpair").some((pair) => attributeOf(pair, "name") === "shutdown")) return state;
  const pair = draw.block("instance_attributes", { shutdown: since });
  const rest = state.children.filter((child) => child.name !== "transient_attributes");
  const own = childOf(state, "transient_attributes");
  const block = own === undefined ? undefined : childOf(own, "instance_attributes");
  const pairs = [...(block?.children ?? []), ...pair.children];
  return withChildren(state, [...rest, element("transient_attributes", { id: id(state) }, [withChildren(block ?? pair, pairs)])]);
}

/** Resources that are active, or known to be stopped, on remote and guest nodes whose connection is up. */
function insideNodes(draw: Draw, cib: Element): Element {
  const has = new Set(all(cib, "node_state").map((state) => attributeOf(state, "uname")));
  const inner = all(cib, "lrm_resource").filter((one) => attributeOf(one, "type") === "remote" && !has.has(id(one)));
  const up = inner.filter((one) =>
    one.children.some((entry) => attributeOf(entry, "operation") === "start" && attributeOf(entry, "rc-code") === "0"),
  );
  const names = [...new Set(up.map(id))];
  let made = cib;
  for (const name of names) {
    const moved: Element[] = [];
    const left = edited(made, (found) => {
      if (found.name !== "lrm_resource" || !/^[AC]\d/.test(id(found)) || !draw.chance(35)) return found;
      moved.push(edited(found, (entry) => withAttributes(entry, { on_node: name })));
      return null;
    });
    const once = [...new Map(moved.map((history) => [id(history), history])).values()];
    const lrm = element("lrm", { id: name }, [element("lrm_resources", {}, once)]);
    const state = { id: name, uname: name, remote_node: "true", in_ccm: "true", "crm-debug-origin": "fuzz" };
    made = added(left, "status", [element("node_state", state, [lrm])]);
  }
  return made;
}
