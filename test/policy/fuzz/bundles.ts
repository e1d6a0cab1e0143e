import { createHash } from "node:crypto";
import { attributeOf, childOf, type Element, element, upgradeCib, withAttributes, withChildren } from "../../../src/core/cib/index.ts";
import { schedule } from "../../../src/core/policy/index.ts";
import { executeTransition } from "../../../src/core/whatif/index.ts";
import { type Draw, NOW_SEC } from "./draw.ts";
import { added, addedSection, all, edited, id } from "./tree.ts";

const BUNDLE = "B9";
const CHILD = "B9p";
const UUID = "11111111-2222-3333-4444-555555555555";

/** With a bundle, constraints on it, and status as if it had been started by itself earlier; sometimes disturbed since. */
export function withBundle(draw: Draw, cib: Element): Element {
  const nodes = all(cib, "node");
  const made = bundle(draw, nodes.length);
  const others = all(cib, "resources")[0]!.children.filter((one) => attributeOf(one, "class") !== "stonith");
  const configured = addedSection(added(cib, "resources", [made]), element("constraints", {}, constraintsOn(draw, others, nodes)));
  if (draw.chance(15)) return configured;
  return merged(configured, disturbed(draw, startedAlone(draw, nodes, made)));
}

function bundle(draw: Draw, nodes: number): Element {
  const promotable = draw.chance(35);
  const replicas = draw.between(1, Math.min(nodes, 3));
  const technology: Record<string, string> = { image: "image:1", replicas: String(replicas) };
  if (promotable) technology["promoted-max"] = "1";
  if (draw.chance(15)) technology["replicas-per-host"] = "2";
  if (draw.chance(20)) technology["run-command"] = "/bin/run";
  const children: Element[] = [];
  const meta: Record<string, string> = {};
  if (draw.chance(10)) meta["target-role"] = draw.pick(["Stopped", "Started"]);
  if (draw.chance(10)) meta["priority"] = "4";
  if (draw.chance(8)) meta["is-managed"] = "false";
  if (Object.keys(meta).length > 0) children.push(draw.block("meta_attributes", meta));
  children.push(element(draw.pick(["docker", "podman"]), technology));
  const addresses = technology["replicas-per-host"] !== undefined || draw.chance(60);
  const network: Record<string, string> = addresses
    ? { "ip-range-start": "192.168.122.131", "host-netmask": "24" }
    : { "control-port": "3121" };
  children.push(element("network", network, draw.chance(40) ? [element("port-mapping", { id: draw.id("port"), port: "80" })] : []));
  if (draw.chance(40)) {
    const mapping = { id: draw.id("storage"), "source-dir": "/srv/web", "target-dir": "/var/www", options: "rw" };
    children.push(element("storage", {}, [element("storage-mapping", mapping)]));
  }
  if (draw.chance(85)) children.push(child(draw, promotable));
  return element("bundle", { id: BUNDLE }, children);
}

function child(draw: Draw, promotable: boolean): Element {
  const operations = [element("op", { id: draw.id("op"), name: "monitor", interval: "10s", timeout: "20s" })];
  if (promotable) operations.push(element("op", { id: draw.id("op"), name: "monitor", interval: "11s", timeout: "20s", role: "Promoted" }));
  const meta: Record<string, string> = {};
  if (draw.chance(20)) meta["resource-stickiness"] = "50";
  if (draw.chance(10)) meta["migration-threshold"] = "2";
  const children = Object.keys(meta).length > 0 ? [draw.block("meta_attributes", meta)] : [];
  const agent = { id: CHILD, class: "ocf", provider: "pacemaker", type: promotable ? "Stateful" : "Dummy" };
  return element("primitive", agent, [...children, element("operations", {}, operations)]);
}

function constraintsOn(draw: Draw, others: readonly Element[], nodes: readonly Element[]): Element[] {
  const made: Element[] = [];
  if (draw.chance(35)) {
    const node = attributeOf(draw.pick(nodes), "uname") ?? "";
    // 2.1.5 does not keep a container that would rather be elsewhere.
    const score = draw.chance(70) ? "-INFINITY" : draw.score();
    made.push(element("rsc_location", { id: draw.id("loc"), rsc: BUNDLE, node, score }));
  }
  if (others.length > 0 && draw.chance(35)) {
    const pair = draw.chance(50) ? { first: id(draw.pick(others)), then: BUNDLE } : { first: BUNDLE, then: id(draw.pick(others)) };
    made.push(element("rsc_order", { id: draw.id("ord"), ...pair, kind: draw.pick(["Mandatory", "Optional"]) }));
  }
  if (others.length > 0 && draw.chance(25)) {
    const dependent = draw.pick(others);
    const scores = dependent.name === "primitive" ? ["INFINITY", "100", "-100"] : ["INFINITY", "-INFINITY"];
    made.push(element("rsc_colocation", { id: draw.id("col"), rsc: id(dependent), "with-rsc": BUNDLE, score: draw.pick(scores) }));
  }
  return made;
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/**
 * Status of a cluster that has nothing but the bundle, after it has been started. The engine under test computes digests of
 * containers and addresses here: were they wrong, crm_simulate would take them for changed definitions and restart the bundle.
 */
function startedAlone(draw: Draw, nodes: readonly Element[], made: Element): Element {
  const options = draw.block("cluster_property_set", { "stonith-enabled": "false" });
  const states = nodes.map((node) =>
    element("node_state", {
      id: id(node),
      uname: attributeOf(node, "uname") ?? "",
      in_ccm: "true",
      crmd: "online",
      join: "member",
      expected: "member",
    }),
  );
  const configuration = element("configuration", {}, [
    element("crm_config", {}, [options]),
    element(
      "nodes",
      {},
      nodes.map((node) => withChildren(node, [])),
    ),
    element("resources", {}, [edited(made, (found) => (found.name === "meta_attributes" ? null : found))]),
    element("constraints"),
  ]);
  const attributes = { "validate-with": "pacemaker-3.7", "have-quorum": "1", crm_feature_set: "3.15.0" };
  let cib = upgradeCib(element("cib", attributes, [configuration, element("status", {}, states)]));
  for (let run = 0; run < 2; run++) {
    const plan = schedule(cib, NOW_SEC * 1000, md5);
    cib = withScores(draw, executeTransition(cib, plan.graph, { wallSec: NOW_SEC - 400 }).cib);
  }
  return edited(childOf(cib, "status")!, recorded);
}

/** The child has rated itself on the first replica. */
function withScores(draw: Draw, cib: Element): Element {
  return edited(cib, (found) => {
    if (found.name !== "node_state" || attributeOf(found, "uname") !== `${BUNDLE}-0`) return found;
    const block = draw.block("instance_attributes", { [`master-${CHILD}`]: "10" });
    return withChildren(withAttributes(found, { remote_node: "true", in_ccm: "true" }), [
      ...found.children.filter((one) => one.name !== "transient_attributes"),
      element("transient_attributes", { id: id(found) }, [block]),
    ]);
  });
}

/** A result made on paper turned into one of an earlier transition. */
function recorded(found: Element): Element {
  if (found.name === "node_state" && /^B9-/.test(attributeOf(found, "uname") ?? ""))
    return withAttributes(found, { remote_node: "true", in_ccm: "true" });
  if (found.name !== "lrm_rsc_op") return found;
  const changes: Record<string, string> = { crm_feature_set: "3.15.0" };
  for (const name of ["transition-key", "transition-magic"])
    changes[name] = (attributeOf(found, name) ?? "").replace(/:-1:/, ":4:").replace(/x{8}-x{4}-x{4}-x{4}-x{12}/, UUID);
  return withAttributes(found, changes);
}

/** Something happened to the bundle since. */
function disturbed(draw: Draw, status: Element): Element {
  const replica = /^B9-(docker|podman|ip-.*)?-?0$|^B9-0$/;
  switch (draw.below(8)) {
    case 0: // A node that knows nothing of it.
      return withoutOne(draw, status);
    case 1: // The first replica is not known to be anywhere.
      return edited(status, (found) =>
        (found.name === "lrm_resource" && replica.test(id(found))) ||
        (found.name === "node_state" && attributeOf(found, "uname") === "B9-0")
          ? null
          : found,
      );
    case 2: // A container died.
      return failed(draw, status, /^B9-(docker|podman)-0$/, 60_000);
    case 3: // The child failed.
      return failed(draw, status, /^B9p/, 10_000);
    default:
      return status;
  }
}

function withoutOne(draw: Draw, status: Element): Element {
  const state = id(draw.pick(status.children));
  return withChildren(
    status,
    status.children.map((one) => (id(one) === state ? edited(one, (found) => (found.name === "lrm_resource" ? null : found)) : one)),
  );
}

function failed(draw: Draw, status: Element, wanted: RegExp, intervalMs: number): Element {
  let left = 1;
  return edited(status, (found) => {
    const monitor = found.children.find((entry) => attributeOf(entry, "interval") === String(intervalMs));
    if (found.name !== "lrm_resource" || !wanted.test(id(found)) || monitor === undefined || left-- <= 0) return found;
    const rc = draw.pick(["1", "7"]);
    const magic = (attributeOf(monitor, "transition-magic") ?? "").replace(/^0:\d+;/, `0:${rc};`);
    const failure = {
      id: `${id(found)}_last_failure_0`,
      "rc-code": rc,
      "transition-magic": magic,
      "call-id": "90",
      "last-rc-change": String(NOW_SEC - 20),
    };
    return withChildren(found, [...found.children, withAttributes(monitor, failure)]);
  });
}

/** The bundle's histories join those of each node; the nodes inside it are added. */
function merged(cib: Element, status: Element): Element {
  const histories = new Map(status.children.map((state) => [attributeOf(state, "uname") ?? "", all(state, "lrm_resource")] as const));
  const inside = status.children.filter((state) => attributeOf(state, "remote_node") === "true");
  const joined = edited(cib, (found) =>
    found.name === "node_state" ? added(found, "lrm_resources", histories.get(attributeOf(found, "uname") ?? "") ?? []) : found,
  );
  return added(joined, "status", inside);
}
