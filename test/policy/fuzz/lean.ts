import { attributeOf, type Element, element, withAttributes, withChildren } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import { parametersDigest } from "./extra-history.ts";
import { all, edited, id } from "./tree.ts";

/** Each of these shapes is kept in this share of its draws. */
const KEPT_PERCENT = 12;

/**
 * Takes back most draws of shapes in which small clusters showed no rule that crm_simulate 2.1.5 follows (the order of its hash
 * table, of its lists), and which hardly anyone writes. Comes last, with a `draw` of its own.
 */
export function leaned(cib: Element, draw: Draw): Element {
  const steps = [
    withRoom,
    withoutFrozenTickets,
    withoutVoidDiscovery,
    withoutMaintainedHosts,
    withoutHandoversAmidGuests,
    withoutToldChains,
  ];
  const leaner = steps.reduce((made, step) => (draw.chance(KEPT_PERCENT) ? made : step(made)), cib);
  return withFencedRemotes(withoutRoomTies(withoutChangedConnections(withoutLeftGuests(withoutLostNotices(leaner)))));
}

/** More than there are nodes, so that their numbers tell them apart and decide nothing else. */
const SCALE = 16;

/**
 * Where companions are placed together and nowhere is room for all, 2.1.5 nominates one of equally roomy nodes by a hash: there no
 * two are equally roomy. What fits where stays as it was. Nodes tie as drawn where everything is placed by itself.
 */
function withoutRoomTies(cib: Element): Element {
  const together =
    all(cib, "group").length > 0 ||
    all(cib, "rsc_colocation").length > 0 ||
    all(cib, "nvpair").some((pair) => ["container", "remote-node"].includes(attributeOf(pair, "name") ?? ""));
  if (!together) return cib;
  const scaled = (within: Element, more: number): Element =>
    edited(within, (found) =>
      found.name === "nvpair" && attributeOf(found, "name") === "cpu"
        ? withAttributes(found, { value: String(Number(attributeOf(found, "value")) * SCALE + more) })
        : found,
    );
  return edited(cib, (found) => {
    if (found.name === "node") return scaled(found, Number(id(found)));
    return found.name === "resources" ? scaled(found, 0) : found;
  });
}

/** 2.1.5 always fences remote nodes without quorum; where 3.x is told to, both must agree. 2.1.5 does not know the option. */
function withFencedRemotes(cib: Element): Element {
  if (attributeOf(cib, "have-quorum") !== "0") return cib;
  const pair = element("nvpair", { id: "fence-remotes", name: "fence-remote-without-quorum", value: "true" });
  return edited(cib, (found) => (id(found) === "cib-bootstrap-options" ? withChildren(found, [...found.children, pair]) : found));
}

/** What is active at its target and still stops at its source moves to a guest node before that is up: 2.1.5 orders nothing. */
function withoutHandoversAmidGuests(cib: Element): Element {
  if (!all(cib, "nvpair").some((pair) => attributeOf(pair, "name") === "remote-node")) return cib;
  const handedOver = new Set(
    all(cib, "lrm_resource")
      .filter((history) => all(history, "lrm_rsc_op").some((entry) => attributeOf(entry, "operation") === "migrate_from"))
      .map(id),
  );
  return edited(cib, (found) =>
    found.name === "primitive" && handedOver.has(id(found))
      ? edited(found, (pair) => (attributeOf(pair, "name") === "allow-migrate" ? null : pair))
      : found,
  );
}

/** Of equally roomy nodes on none of which all fit, 2.1.5 nominates one by a hash: most fit somewhere. */
function withRoom(cib: Element): Element {
  const followers = new Set(all(cib, "group").flatMap((group) => all(group, "primitive").map(id).slice(1)));
  const lighter = edited(cib, (found) =>
    found.name === "primitive" && followers.has(id(found)) ? edited(found, (one) => (one.name === "utilization" ? null : one)) : found,
  );
  return edited(lighter, (node) =>
    node.name === "node"
      ? edited(node, (found) => {
          if (found.name !== "nvpair" || attributeOf(found, "name") !== "cpu") return found;
          return withAttributes(found, { value: String(Number(attributeOf(found, "value")) * 3 + Number(id(node))) });
        })
      : node,
  );
}

/** A node on which something is frozen or blocked is not unfenced by 2.1.5, whose transition then never ends. */
function withoutFrozenTickets(cib: Element): Element {
  if (!all(cib, "nvpair").some((pair) => attributeOf(pair, "value") === "unfencing")) return cib;
  return edited(cib, (found) =>
    found.name === "rsc_ticket" && attributeOf(found, "loss-policy") === "freeze"
      ? withAttributes(found, { "loss-policy": "stop" })
      : found,
  );
}

/** Who looks for something on certain nodes only, lets it run there. */
function withoutVoidDiscovery(cib: Element): Element {
  return edited(cib, (found) =>
    found.name === "rsc_location" && attributeOf(found, "resource-discovery") === "exclusive" && attributeOf(found, "score") === "-INFINITY"
      ? withAttributes(found, { score: "0" })
      : found,
  );
}

/** 2.1.5 promotes one more of a cloned group whose promoted instance is on a node in maintenance: it goes beyond `promoted-max`. */
function withoutMaintainedHosts(cib: Element): Element {
  const promotable = all(cib, "clone").some(
    (clone) =>
      clone.children.some((child) => child.name === "group") &&
      all(clone, "nvpair").some((pair) => attributeOf(pair, "name") === "promotable"),
  );
  if (!promotable) return cib;
  return edited(cib, (node) => {
    if (node.name !== "node") return node;
    return edited(node, (found) => (found.name === "nvpair" && attributeOf(found, "name") === "maintenance" ? null : found));
  });
}

/** Whether a clone's notifications precede the stop of a clone before it, which restarts, depends on which 2.1.5 reads first. */
function withoutToldChains(cib: Element): Element {
  const clones = new Set(all(cib, "clone").map(id));
  const orders = all(cib, "rsc_order").filter((order) => attributeOf(order, "kind") === "Mandatory");
  const follows = new Set(orders.map((order) => attributeOf(order, "then") ?? ""));
  const last = new Set(
    orders
      .filter((order) => {
        const first = attributeOf(order, "first") ?? "";
        return clones.has(first) && follows.has(first);
      })
      .map((order) => attributeOf(order, "then") ?? ""),
  );
  return edited(cib, (found) =>
    found.name === "clone" && last.has(id(found)) ? edited(found, (pair) => (attributeOf(pair, "name") === "notify" ? null : pair)) : found,
  );
}

/**
 * What a clone with changed parameters follows, and is defined before it, 2.1.5 stops without waiting for it if the clone is to
 * be notified: then it is not.
 */
function withoutLostNotices(cib: Element): Element {
  const changed = new Set(
    all(cib, "lrm_resource")
      .filter((history) => all(history, "lrm_rsc_op").some((entry) => attributeOf(entry, "op-force-restart") !== undefined))
      .map((history) => id(history).replace(/:\d+$/, "")),
  );
  const follows = new Set(
    all(cib, "rsc_order").flatMap((order) => [attributeOf(order, "then") ?? "", ...all(order, "resource_ref").slice(1).map(id)]),
  );
  return edited(cib, (found) =>
    found.name === "clone" && follows.has(id(found)) && all(found, "primitive").some((member) => changed.has(id(member)))
      ? edited(found, (pair) => (attributeOf(pair, "name") === "notify" ? null : pair))
      : found,
  );
}

/** A node that went down in good order has stopped its guests; with shutdown locks its history would be believed. */
function withoutLeftGuests(cib: Element): Element {
  if (!all(cib, "nvpair").some((pair) => attributeOf(pair, "name") === "shutdown-lock" && attributeOf(pair, "value") === "true"))
    return cib;
  const ofGuests = new Set(
    all(cib, "primitive").flatMap((launcher) => {
      const guest = all(launcher, "nvpair").find((pair) => attributeOf(pair, "name") === "remote-node");
      return guest === undefined ? [] : [id(launcher), attributeOf(guest, "value") ?? ""];
    }),
  );
  return edited(cib, (state) => {
    if (state.name !== "node_state" || attributeOf(state, "crmd") !== "offline" || attributeOf(state, "expected") !== "down") return state;
    return edited(state, (found) => (found.name === "lrm_resource" && ofGuests.has(id(found)) ? null : found));
  });
}

/** What is behind a connection that was changed and may not start again for lack of quorum, 2.1.5 does not look for (actions.md A6.5). */
function withoutChangedConnections(cib: Element): Element {
  const frozen = all(cib, "nvpair").some(
    (pair) => attributeOf(pair, "name") === "no-quorum-policy" && attributeOf(pair, "value") === "freeze",
  );
  if (!frozen || attributeOf(cib, "have-quorum") !== "0") return cib;
  const connections = new Map(all(cib, "primitive").flatMap((one) => (attributeOf(one, "type") === "remote" ? [[id(one), one]] : [])));
  return edited(cib, (history) => {
    const connection = history.name === "lrm_resource" ? connections.get(id(history)) : undefined;
    if (connection === undefined) return history;
    const digest = parametersDigest(connection);
    return edited(history, (entry) => (attributeOf(entry, "interval") === "0" ? withAttributes(entry, { "op-digest": digest }) : entry));
  });
}
