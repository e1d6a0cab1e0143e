import { type ConfigurationEdit, type Element, element } from "../../core/cib/index.ts";

/** Exclusive services without ties, and one that lives beside `db`, after it. */
export const RESOURCES = ["web", "db", "vip", "app"] as const;
/** Services that may run on several nodes; how many copies at once, and how many of them promoted. */
export const CLONES: Readonly<Record<string, { readonly copies: number; readonly promoted: number }>> = {
  ping: { copies: 2, promoted: 0 },
  ha: { copies: 2, promoted: 1 },
};
export const CLONED: ReadonlySet<string> = new Set(Object.keys(CLONES));
/** `dependent` runs only where `primary` runs; it starts after it and stops before it. */
export const TIED = { dependent: "app", primary: "db" } as const;

/** Timeouts of agents, seconds: the bound on how long the cluster may take to reach the wanted state is made of them. */
export const TIMEOUTS = { start: 5, stop: 2, slowStop: 6, monitor: 5, promote: 5 } as const;

export function nvpairs(owner: string, values: Readonly<Record<string, string>>): readonly Element[] {
  return Object.entries(values).map(([name, value]) => element("nvpair", { id: `${owner}-${name}`, name, value }));
}

export function put(section: ConfigurationEdit["section"], after: Element): ConfigurationEdit {
  return { section, id: after.attributes["id"] ?? "", before: null, after };
}

/** One service asks for a longer stop than guardians give of their own, so that the bound of its node moves with it. */
function primitive(id: string, monitorMs: number): Element {
  const seconds = (count: number): string => `${count}s`;
  const operations = [
    { name: "start", interval: "0s", timeout: seconds(TIMEOUTS.start) },
    { name: "stop", interval: "0s", timeout: seconds(id === "db" ? TIMEOUTS.slowStop : TIMEOUTS.stop) },
    { name: "monitor", interval: `${monitorMs}ms`, timeout: seconds(TIMEOUTS.monitor) },
  ];
  const ops = operations.map(({ name, interval, timeout }) => element("op", { id: `${id}-${name}-${interval}`, name, interval, timeout }));
  if (id === "ha") {
    const promoted = { id: "ha-monitor-promoted", name: "monitor", interval: "900ms", role: "Promoted", timeout: "5s" };
    ops.push(element("op", promoted));
  }
  return element("primitive", { id, class: "ocf", provider: "quorate", type: id === "ha" ? "stateful" : "dummy" }, [
    element("operations", {}, ops),
  ]);
}

function clone(id: string, monitorMs: number): Element {
  const { copies, promoted } = CLONES[id] ?? { copies: 1, promoted: 0 };
  const meta = { "clone-max": String(copies), ...(promoted > 0 ? { promotable: "true", "promoted-max": String(promoted) } : {}) };
  return element("clone", { id: `${id}-clone` }, [
    element("meta_attributes", { id: `${id}-clone-meta` }, nvpairs(`${id}-clone-meta`, meta)),
    primitive(id, monitorMs),
  ]);
}

/** The cluster's first configuration: the services, their ties, and a device that can switch every node, if there is one. */
export function firstConfiguration(nodes: readonly string[], hasDevice: boolean): readonly ConfigurationEdit[] {
  const options = { "stonith-enabled": "true", "no-quorum-policy": "stop", "migration-threshold": "3" };
  const edits = [put("crm_config", element("cluster_property_set", { id: "sim-options" }, nvpairs("sim-options", options)))];
  for (const [at, id] of RESOURCES.entries()) edits.push(put("resources", primitive(id, 1_000 + 500 * at)));
  for (const [at, id] of Object.keys(CLONES).entries()) edits.push(put("resources", clone(id, 1_300 + 400 * at)));
  const { dependent, primary } = TIED;
  const together = { id: "tied-place", rsc: dependent, "with-rsc": primary, score: "INFINITY" };
  edits.push(put("constraints", element("rsc_colocation", together)));
  edits.push(put("constraints", element("rsc_order", { id: "tied-order", first: primary, then: dependent, kind: "Mandatory" })));
  // Agents of the simulator set no promotion scores, so the configuration says who may be promoted.
  for (const node of nodes) {
    const place = { id: `promoted-${node}`, rsc: "ha-clone", role: "Promoted", node, score: "100" };
    edits.push(put("constraints", element("rsc_location", place)));
  }
  if (hasDevice) {
    const values = nvpairs("fence-params", { pcmk_host_list: nodes.join(" "), pcmk_host_check: "static-list" });
    const device = element("primitive", { id: "fence", class: "stonith", type: "fence_sim" }, [
      element("instance_attributes", { id: "fence-params" }, values),
    ]);
    edits.push(put("resources", device));
  }
  return edits;
}
