import { attributeOf, childOf, type Element, walk } from "../../../src/core/cib/index.ts";
import type { Result } from "./exceptions.ts";

/** The elements and pairs of a CIB, by name: what features are told by. */
class Looked {
  readonly cib: Element;
  private readonly elements = new Map<string, Element[]>();
  private readonly pairs = new Map<string, string[]>();

  constructor(cib: Element) {
    this.cib = cib;
    for (const found of walk(cib)) {
      push(this.elements, found.name, found);
      if (found.name === "nvpair") push(this.pairs, attributeOf(found, "name") ?? "", (attributeOf(found, "value") ?? "").toLowerCase());
    }
  }

  all(...names: readonly string[]): readonly Element[] {
    return names.flatMap((name) => this.elements.get(name) ?? []);
  }

  some(name: string, test: (found: Element) => boolean): boolean {
    return this.all(name).some(test);
  }

  has(attribute: string, ...names: readonly string[]): boolean {
    return this.all(...names).some((found) => attributeOf(found, attribute) !== undefined);
  }

  pair(name: string): boolean {
    return this.pairs.has(name);
  }

  yes(...names: readonly string[]): boolean {
    return names.some((name) => (this.pairs.get(name) ?? []).some((value) => ["true", "1", "yes", "on"].includes(value)));
  }

  pairBegins(start: string): boolean {
    return [...this.pairs.keys()].some((name) => name.startsWith(start));
  }
}

function push<T>(into: Map<string, T[]>, key: string, value: T): void {
  const list = into.get(key);
  if (list === undefined) into.set(key, [value]);
  else list.push(value);
}

const is = (name: string, ...values: readonly string[]): ((found: Element) => boolean) => {
  return (found) => values.includes((attributeOf(found, name) ?? "").toLowerCase());
};

const withSets = (found: Element): boolean => childOf(found, "resource_set") !== undefined;

/** In the constraint or one of its sets. */
function written(constraint: Element, name: string): boolean {
  return [constraint, ...constraint.children].some((one) => attributeOf(one, name) !== undefined);
}

function setsPairs(look: Looked, section: string): boolean {
  return look.some(section, (found) => [...walk(found)].some((one) => one.name === "nvpair"));
}

/** Features that the configuration or status shows, under the names of the corpus' tags. */
const CONFIGURED: Readonly<Record<string, (look: Looked) => boolean>> = {
  "anti-colocation": (look) => look.some("rsc_colocation", (one) => (attributeOf(one, "score") ?? "").startsWith("-")),
  "asymmetric-cluster": (look) =>
    look.some("nvpair", (one) => is("name", "symmetric-cluster")(one) && is("value", "false", "0", "no", "off")(one)),
  bundle: (look) => look.all("bundle").length > 0,
  clone: (look) => look.all("clone", "master").length > 0,
  "clone-of-group": (look) => look.all("clone", "master").some((one) => childOf(one, "group") !== undefined),
  "clone-unique": (look) => look.yes("globally-unique"),
  "coloc-node-attribute": (look) => look.has("node-attribute", "rsc_colocation"),
  colocation: (look) => look.some("rsc_colocation", (one) => !withSets(one)),
  "colocation-role": (look) =>
    look.some("rsc_colocation", (one) => ["rsc-role", "with-rsc-role", "role"].some((name) => written(one, name))),
  "colocation-set": (look) => look.some("rsc_colocation", withSets),
  container: (look) => look.pair("container"),
  critical: (look) => look.pair("critical"),
  "date-rules": (look) => look.all("date_expression").length > 0,
  failcount: (look) => look.pairBegins("fail-count"),
  "failed-op": (look) => look.some("lrm_rsc_op", (one) => !["0", "7", "8", "193", ""].includes(attributeOf(one, "rc-code") ?? "")),
  "failure-timeout": (look) => look.pair("failure-timeout"),
  "fence-device": (look) => look.all("primitive", "template").some(is("class", "stonith")),
  group: (look) => look.all("group").length > 0,
  guest: (look) => look.pair("remote-node"),
  interleave: (look) => look.yes("interleave"),
  "is-managed": (look) => look.pair("is-managed"),
  location: (look) => look.all("rsc_location").length > 0,
  "location-pattern": (look) => look.has("rsc-pattern", "rsc_location"),
  maintenance: (look) => look.pair("maintenance") || look.pair("maintenance-mode"),
  migration: (look) => look.pair("allow-migrate"),
  "migration-threshold": (look) => look.pair("migration-threshold"),
  "monitor-role": (look) => look.some("op", (one) => is("name", "monitor")(one) && attributeOf(one, "role") !== undefined),
  "multiple-active": (look) => look.pair("multiple-active"),
  "no-quorum": (look) => is("have-quorum", "0", "false")(look.cib),
  "no-quorum-policy": (look) => look.pair("no-quorum-policy"),
  "node-health": (look) => look.pair("node-health-strategy"),
  notify: (look) => look.yes("notify"),
  "on-fail": (look) => look.has("on-fail", "op") || look.pair("on-fail"),
  "op-defaults": (look) => setsPairs(look, "op_defaults"),
  order: (look) => look.some("rsc_order", (one) => !withSets(one)),
  "order-asymmetrical": (look) => look.some("rsc_order", (one) => [one, ...one.children].some(is("symmetrical", "false"))),
  "order-optional": (look) => look.some("rsc_order", (one) => is("kind", "optional")(one) || is("score", "0")(one)),
  "order-require-all": (look) => look.some("rsc_order", (one) => written(one, "require-all")),
  "order-serialize": (look) => look.some("rsc_order", is("kind", "serialize")),
  "order-set": (look) => look.some("rsc_order", withSets),
  "pending-op": (look) => look.some("lrm_rsc_op", is("op-status", "-1")),
  "placement-strategy": (look) => look.pair("placement-strategy"),
  priority: (look) => look.pair("priority"),
  promotable: (look) => look.all("master").length > 0 || look.yes("promotable"),
  "promotion-score": (look) => look.pairBegins("master-"),
  remote: (look) => look.all("primitive", "template").some((one) => is("type", "remote")(one) && is("provider", "pacemaker")(one)),
  "resource-discovery": (look) => look.has("resource-discovery", "rsc_location"),
  "rsc-defaults": (look) => setsPairs(look, "rsc_defaults"),
  rules: (look) => look.all("rule").length > 0,
  "shutdown-lock": (look) => look.yes("shutdown-lock"),
  standby: (look) => look.pair("standby"),
  stickiness: (look) => look.pair("resource-stickiness") || look.pair("default-resource-stickiness"),
  "stop-all": (look) => look.pair("stop-all-resources"),
  tags: (look) => look.all("tag").length > 0,
  "target-role": (look) => look.pair("target-role"),
  template: (look) => look.all("template").length > 0,
  ticket: (look) => look.all("rsc_ticket").length > 0,
  topology: (look) => look.all("fencing-topology").length > 0,
  "type-rules": (look) => look.all("rsc_expression", "op_expression").length > 0,
  utilization: (look) => look.all("utilization").length > 0,
};

/** Features that the outcome shows. */
const DECIDED: Readonly<Record<string, (result: Result) => boolean>> = {
  cancel: ({ actions }) => actions.some((one) => one.task === "cancel"),
  delete: ({ actions }) => actions.some((one) => one.task === "delete"),
  "failed-final": (result) => flagged(result, "failed"),
  fencing: ({ actions }) => actions.some((one) => one.kind === "fence" && one.task !== "on"),
  "no-action": ({ actions }) => actions.length === 0,
  orphan: (result) => flagged(result, "orphaned") || result.actions.some((one) => one.rsc === "Gone"),
  probes: ({ actions }) => actions.some((one) => one.task === "monitor" && (one.interval_ms ?? 0) === 0),
  "recheck-by": ({ recheck_by }) => recheck_by !== undefined && recheck_by !== null,
  recurring: ({ actions }) => actions.some((one) => one.task === "monitor" && (one.interval_ms ?? 0) > 0),
  reload: ({ actions }) => actions.some((one) => one.task === "reload-agent"),
  shutdown: ({ actions }) => actions.some((one) => one.task === "do_shutdown"),
  unfencing: ({ actions }) => actions.some((one) => one.kind === "fence" && one.task === "on"),
};

function flagged({ final }: Result, flag: string): boolean {
  return [...Object.values(final.resources), ...Object.values(final.bundles ?? {})]
    .flat()
    .some((one) => one.flags?.includes(flag) === true);
}

/** Names of all features, those of the corpus. */
export const FEATURES: readonly string[] = [...Object.keys(CONFIGURED), ...Object.keys(DECIDED)].sort();

/** The features of a CIB and of what the engine decides for it. */
export function featuresOf(cib: Element, result: Result): readonly string[] {
  const look = new Looked(cib);
  const configured = Object.keys(CONFIGURED).filter((name) => CONFIGURED[name]!(look));
  return [...configured, ...Object.keys(DECIDED).filter((name) => DECIDED[name]!(result))];
}
