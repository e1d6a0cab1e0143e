import { type Random, seededRandom } from "../../src/core/base/index.ts";
import { type Element, element } from "../../src/core/cib/index.ts";

/** A small cluster drawn from a seed: nodes, primitives, groups, clones, constraints, history, sometimes a lost node. */
export function randomCib(seed: number): Element {
  const random = seededRandom(seed);
  const nodes = 2 + random.below(4);
  const names = Array.from({ length: nodes }, (_, at) => `node${at + 1}`);
  const lost = random.below(3) === 0 ? random.below(nodes) : -1;
  const tops: string[] = [];
  const primitives: string[] = ["fencing"];
  const resources: Element[] = [primitive("fencing", "stonith", [])];
  const count = 2 + random.below(6);
  for (let at = 0; at < count; at++) resources.push(draw(random, at, tops, primitives));
  const configuration = element("configuration", {}, [
    element("crm_config", {}, [pairs("cluster_property_set", "options", { "fencing-enabled": "true" })]),
    element(
      "nodes",
      {},
      names.map((name, at) => element("node", { id: String(at + 1), uname: name })),
    ),
    element("resources", {}, resources),
    element("constraints", {}, constraints(random, tops, names)),
    element("rsc_defaults", {}, [pairs("meta_attributes", "defaults", { "resource-stickiness": String(random.below(3) * 50) })]),
  ]);
  const status = element(
    "status",
    {},
    names.map((name, at) => nodeState(random, name, at, at === lost, primitives)),
  );
  return element("cib", { "have-quorum": "1", "dc-uuid": lost === 0 ? "2" : "1", "execution-date": "1700000000" }, [configuration, status]);
}

function draw(random: Random, at: number, tops: string[], primitives: string[]): Element {
  const kind = random.below(4);
  if (kind === 0) {
    tops.push(`group${at}`);
    const members = Array.from({ length: 2 + random.below(2) }, (_, member) => `g${at}m${member}`);
    primitives.push(...members);
    return element(
      "group",
      { id: `group${at}` },
      members.map((id) => primitive(id, "ocf", [])),
    );
  }
  const id = `rsc${at}`;
  primitives.push(id);
  if (kind === 1) {
    tops.push(`clone${at}`);
    const meta = { interleave: String(random.below(2) === 0), "clone-max": String(1 + random.below(3)) };
    return element("clone", { id: `clone${at}` }, [primitive(id, "ocf", []), pairs("meta_attributes", `clone${at}`, meta)]);
  }
  tops.push(id);
  const meta: Record<string, string> = {};
  if (random.below(6) === 0) meta["target-role"] = "Stopped";
  if (random.below(4) === 0) meta["allow-migrate"] = "true";
  if (random.below(4) === 0) meta["priority"] = String(random.below(5));
  return primitive(id, "ocf", Object.keys(meta).length === 0 ? [] : [pairs("meta_attributes", id, meta)]);
}

function primitive(id: string, kind: string, extra: readonly Element[]): Element {
  const agent: Record<string, string> =
    kind === "stonith" ? { class: "stonith", type: "fence_dummy" } : { class: "ocf", provider: "pacemaker", type: "Dummy" };
  const monitor = element("op", { id: `${id}-monitor`, name: "monitor", interval: "10s" });
  return element("primitive", { id, ...agent }, [...extra, element("operations", {}, [monitor])]);
}

function pairs(name: string, id: string, values: Readonly<Record<string, string>>): Element {
  return element(
    name,
    { id: `${id}-set` },
    Object.entries(values).map(([key, value]) => element("nvpair", { id: `${id}-set-${key}`, name: key, value })),
  );
}

function constraints(random: Random, tops: readonly string[], nodes: readonly string[]): Element[] {
  const list: Element[] = [];
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  for (let at = 0; at < random.below(6); at++) {
    const id = `c${at}`;
    const first = random.below(tops.length);
    const second = random.below(tops.length);
    const kind = random.below(3);
    if (kind === 0)
      list.push(element("rsc_location", { id, rsc: pick(tops), node: pick(nodes), score: pick(["50", "-50", "INFINITY", "-INFINITY"]) }));
    else if (first < second && kind === 1)
      list.push(element("rsc_order", { id, first: tops[first]!, then: tops[second]!, kind: pick(["Mandatory", "Optional"]) }));
    else if (first < second)
      list.push(element("rsc_colocation", { id, rsc: tops[second]!, "with-rsc": tops[first]!, score: pick(["100", "-100", "INFINITY"]) }));
  }
  return list;
}

const DIGEST_EMPTY = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
const DIGEST_TIMEOUT = "4811cef7f7f94e3a35a70be7916cb2fd";

/** Every primitive of an earlier node is stopped where it was drawn to be elsewhere; nothing is active twice. */
function nodeState(random: Random, name: string, at: number, lost: boolean, primitives: readonly string[]): Element {
  const id = String(at + 1);
  const state = lost ? { in_ccm: "false", crmd: "offline", join: "down" } : { in_ccm: "true", crmd: "online", join: "member" };
  const histories = primitives.map((resource, index) => {
    const here = index % 3 === at % 3 && at < 3 && random.below(4) > 0;
    const failed = here && random.below(8) === 0;
    return history(resource, name, here, failed);
  });
  const lrm = element("lrm", { id }, [element("lrm_resources", {}, histories)]);
  return element("node_state", { id, uname: name, expected: "member", ...state }, [lrm]);
}

function history(resource: string, node: string, active: boolean, failed: boolean): Element {
  const agent: Record<string, string> =
    resource === "fencing" ? { class: "stonith", type: "fence_dummy" } : { class: "ocf", provider: "pacemaker", type: "Dummy" };
  const entry = (task: string, interval: string, rc: number, call: number, expected: number): Element =>
    element("lrm_rsc_op", {
      id: interval === "0" ? `${resource}_last_0` : `${resource}_${task}_${interval}`,
      operation: task,
      interval,
      "call-id": String(call),
      "rc-code": String(rc),
      "op-status": "0",
      "transition-key": `${call}:1:${expected}:11111111-1111-4111-8111-111111111111`,
      "last-rc-change": "1699990000",
      "op-digest": interval === "0" ? DIGEST_EMPTY : DIGEST_TIMEOUT,
      on_node: node,
    });
  const entries = active
    ? [entry("start", "0", 0, 1, 0), entry("monitor", "10000", failed ? 7 : 0, 2, 0)]
    : [entry("monitor", "0", 7, 1, 7)];
  return element("lrm_resource", { id: resource, ...agent }, entries);
}
