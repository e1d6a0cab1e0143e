import { createHash } from "node:crypto";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import type { TransitionGraph } from "../../src/core/transition/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** What the engine hashes parameters with. */
export const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
/** The digest of no parameters. */
export const EMPTY = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
/** An agent, as primitives and histories name it. */
export const DUMMY = 'class="ocf" provider="pacemaker" type="Dummy"';
export const STATEFUL = DUMMY.replace("Dummy", "Stateful");
export const PODMAN = 'class="ocf" provider="heartbeat" type="podman"';
export const REMOTE = 'class="ocf" provider="pacemaker" type="remote"';

/** A primitive of a dummy agent. */
export function primitive(id: string, inside = ""): string {
  return `<primitive id="${id}" ${DUMMY}>${inside}</primitive>`;
}

/** A bundle of two replicas with `in` inside. */
export const BUNDLE = `<bundle id="b"><podman image="i" replicas="2"/><network control-port="3121"/>${primitive("in")}</bundle>`;

type EntryDetail = { readonly intervalMs?: number; readonly rc?: number; readonly digest?: string; readonly status?: number };

/** One entry of history: a success unless told otherwise. */
export function entry(id: string, task: string, attributes: EntryDetail = {}): string {
  const { intervalMs = 0, rc = 0, status = 0, digest = `op-digest="${EMPTY}"` } = attributes;
  const key = `5:3:${rc}:11111111-2222-3333-4444-555555555555`;
  return `<lrm_rsc_op id="${id}_${intervalMs > 0 ? `${task}_${intervalMs}` : "last_0"}" operation_key="${id}_${task}_${intervalMs}"
    operation="${task}" interval="${intervalMs}" transition-key="${key}" transition-magic="${status}:${rc};${key}" call-id="${3 + intervalMs}"
    rc-code="${rc}" op-status="${status}" ${digest}/>`;
}

/** What a node knows of a resource. */
export function history(id: string, entries: string, agent = DUMMY): string {
  return `<lrm_resource id="${id}" ${agent}>${entries}</lrm_resource>`;
}

/** A replica of `BUNDLE` that runs: watched, so that no digest of its parameters is compared. */
export function replica(number: number): string {
  const watched = (id: string, agent: string): string => history(id, entry(id, "monitor", { intervalMs: 10_000 }), agent);
  return watched(`b-podman-${number}`, PODMAN) + watched(`b-${number}`, REMOTE);
}

/** Transient attributes of a node. */
function transient(id: number, attributes: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(attributes).map(([name, value], at) => `<nvpair id="t${id}${at}" name="${name}" value="${value}"/>`);
  return `<transient_attributes id="${id}"><instance_attributes id="t${id}">${pairs.join("")}</instance_attributes></transient_attributes>`;
}

const LEAVING = { shutdown: "1699999000" };

/** The transition of a small cluster. One node state each: `join` is `down` for a node that has not joined yet. */
export function graphOf(how: {
  readonly fencing?: boolean;
  readonly startupFencing?: boolean;
  readonly resources: string;
  readonly constraints?: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly join?: "member" | "down";
    readonly histories?: string;
    /** The node has asked to be shut down. */
    readonly leaves?: boolean;
    readonly attributes?: Readonly<Record<string, string>>;
    readonly remote?: boolean;
    /** Has fallen silent. */
    readonly lost?: boolean;
    /** The membership has noticed: without quorum it cannot be fenced. */
    readonly gone?: boolean;
  }[];
  /** Histories of guest nodes by name, which are no entries of the configuration. */
  readonly guests?: Readonly<Record<string, string>>;
  /** The cluster keeps places for what was active on nodes that left. */
  readonly locks?: boolean;
  readonly symmetric?: boolean;
  /** Without it what runs is frozen. */
  readonly quorate?: boolean;
  readonly placement?: "default" | "utilization";
}): TransitionGraph {
  const nodes = how.nodes.map(
    ({ name, remote = false }, at) => `<node id="${at + 1}" uname="${name}" type="${remote ? "remote" : "member"}"/>`,
  );
  const states = how.nodes.map(
    ({ name, join = "member", histories = "", leaves = false, attributes = {}, remote = false, lost = false, gone = false }, at) =>
      `<node_state id="${at + 1}" uname="${name}" remote_node="${remote}" in_ccm="${!gone}" crmd="${lost ? "offline" : "online"}" join="${join}" expected="${join}">
        <lrm id="${at + 1}"><lrm_resources>${histories}</lrm_resources></lrm>${transient(at + 1, { ...attributes, ...(leaves ? LEAVING : {}) })}</node_state>`,
  );
  const guests = Object.entries(how.guests ?? {}).map(
    ([name, histories]) =>
      `<node_state id="${name}" uname="${name}" remote_node="true" in_ccm="true"><lrm id="${name}"><lrm_resources>${histories}</lrm_resources></lrm></node_state>`,
  );
  const text = `<cib validate-with="pacemaker-3.7" have-quorum="${how.quorate === false ? 0 : 1}" crm_feature_set="3.15.0"><configuration><crm_config>
    <cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="${how.fencing ?? false}"/><nvpair id="o6" name="startup-fencing" value="${how.startupFencing ?? true}"/><nvpair id="o2" name="symmetric-cluster" value="${how.symmetric ?? true}"/><nvpair id="o3" name="no-quorum-policy" value="freeze"/><nvpair id="o4" name="shutdown-lock" value="${how.locks ?? false}"/><nvpair id="o5" name="placement-strategy" value="${how.placement ?? "default"}"/></cluster_property_set></crm_config>
    <nodes>${nodes.join("")}</nodes><resources>${how.resources}</resources><constraints>${how.constraints ?? ""}</constraints>
    </configuration><status>${[...states, ...guests].join("")}</status></cib>`;
  return schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5).graph;
}

/** Its actions, with the nodes they run on. */
export function keys(graph: TransitionGraph): readonly string[] {
  return graph.actions.map((action) => `${action.key} ${action.node ?? "-"}`);
}
