import { attributeOf, childrenOf, type Element, walk } from "../../core/cib/index.ts";
import { findObject, listObjects, optionValue } from "../../core/crm/index.ts";

/** Something a person should know before a configuration of Pacemaker runs here. */
export type ImportNote = { readonly kind: "unsupported" | "different"; readonly object: string; readonly text: string };

/** Agent classes that this build does not run, and why. */
const CLASSES: Readonly<Record<string, string>> = {
  upstart: "upstart jobs are not run; use systemd or ocf",
  nagios: "nagios plugins are not run; wrap the check in an ocf agent",
  heartbeat: "agents of Heartbeat 1 are not run; use ocf",
};

/** Cluster options that mean nothing here, and what does their work. */
const OPTIONS: Readonly<Record<string, string>> = {
  "cluster-infrastructure": "there is no corosync; the members form a Raft group",
  "dc-version": "is a mark of Pacemaker's own",
  "have-watchdog": "is found out by each node's guardian",
  "dc-deadtime": "elections are Raft's",
  "election-timeout": "elections are Raft's",
  "join-integration-timeout": "there is no join phase",
  "join-finalization-timeout": "there is no join phase",
  "cluster-ipc-limit": "the API has limits of its own",
  "last-lrm-refresh": "history is refreshed by a command",
};

/** What is not supported, and what will behave differently, object by object. */
export function importNotes(configuration: Element): ImportNote[] {
  const notes: ImportNote[] = [];
  const unsupported = (object: string, text: string): void => void notes.push({ kind: "unsupported", object, text });
  const different = (object: string, text: string): void => void notes.push({ kind: "different", object, text });
  for (const object of listObjects(configuration)) {
    const agentClass = attributeOf(object.element, "class") ?? "";
    if (Object.hasOwn(CLASSES, agentClass)) unsupported(object.id, CLASSES[agentClass] ?? "");
    if (object.type === "bundle")
      unsupported(object.id, "bundles are planned and shown, but their containers are not started by this build");
    if (attributeOf(object.element, "provider") === "pacemaker" && attributeOf(object.element, "type") === "remote") {
      unsupported(object.id, "remote nodes are planned and shown, but nothing is run on them by this build");
    }
    if (object.type === "primitive" && metaNames(object.element).has("remote-node")) {
      unsupported(object.id, "guest nodes are planned and shown, but nothing is run on them by this build");
    }
    if (agentClass === "stonith" && !(attributeOf(object.element, "type") ?? "").startsWith("fence_")) {
      unsupported(object.id, "only fence_* agents are run; plugins of cluster-glue are not");
    }
    if (object.element.name === "acl_user") unsupported(object.id, "access rules of Pacemaker 1.0; write roles and acl_target instead");
  }
  noteOptions(configuration, different);
  return notes;
}

function metaNames(of: Element): ReadonlySet<string> {
  const pairs = childrenOf(of, "meta_attributes").flatMap((set) => childrenOf(set, "nvpair"));
  return new Set(pairs.map((pair) => attributeOf(pair, "name") ?? ""));
}

function noteOptions(configuration: Element, different: (object: string, text: string) => void): void {
  const set = findObject(configuration, "cib-bootstrap-options")?.id ?? "property";
  for (const [name, text] of Object.entries(OPTIONS)) {
    if (optionValue(configuration, name) !== undefined) different(set, `${name} has no effect: ${text}`);
  }
  const policy = optionValue(configuration, "no-quorum-policy");
  if (policy === "ignore" || policy === "freeze") {
    different(
      set,
      `no-quorum-policy=${policy}: a node that cannot prove it has quorum stops its resources or resets itself at its deadline, whatever this says`,
    );
  }
  const fencing = optionValue(configuration, "stonith-enabled") ?? optionValue(configuration, "fencing-enabled") ?? "true";
  const hasDevice = [...walk(configuration)].some((each) => attributeOf(each, "class") === "stonith");
  if (fencing !== "false" && !hasDevice) {
    different(set, "there is no fencing device: a silent node counts as stopped once its guardian must have stopped or reset it");
  }
  if (optionValue(configuration, "stonith-watchdog-timeout") !== undefined) {
    different(
      set,
      "stonith-watchdog-timeout: the time after which a silent node counts as stopped is derived from what its guardian guarantees",
    );
  }
}
