import { attributeOf, childOf, type Element, element, withAttributes, withChildren } from "../cib/index.ts";
import type { ClusterAction, FenceAction, GraphAction, ResourceAction, TransitionGraph } from "../transition/index.ts";

/** The transition id in results made on paper: never a real one, so such an entry counts as the newest (status.md 13.4). */
const PAPER_KEY = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/** A result that shall occur instead of the expected one (X4). */
export type InjectedFailure = {
  readonly resource: string;
  readonly task: string;
  readonly intervalMs: number;
  readonly node: string;
  readonly rc: number;
};

export type ExecutionOptions = {
  /** Epoch seconds that results carry as `last-rc-change`. */
  readonly wallSec: number;
  readonly failures?: readonly InjectedFailure[];
};

/** One step of the execution, in order, for people. */
export type ExecutionStep = { readonly action: GraphAction; readonly failed: boolean };

export type Execution = {
  /** The CIB as it is after the transition. */
  readonly cib: Element;
  readonly steps: readonly ExecutionStep[];
  /** False: entries were left over (after an injected failure, or a defect in the graph). */
  readonly complete: boolean;
};

/**
 * Carries out a transition on paper: every action succeeds unless a failure was injected, and its result is written into
 * the status section (rules X1 to X6). The input is not changed.
 */
export function executeTransition(cib: Element, graph: TransitionGraph, options: ExecutionOptions): Execution {
  const paper = new Paper(cib, options);
  const done = new Uint8Array(graph.actions.length + 1);
  const steps: ExecutionStep[] = [];
  let pending: readonly GraphAction[] = graph.actions;
  let abortPriority = -1;
  for (let fired = true; fired; ) {
    fired = false;
    const left: GraphAction[] = [];
    for (const action of pending) {
      const allowed = abortPriority < 0 || action.kind === "pseudo" || action.priority >= abortPriority;
      if (!allowed || !action.inputs.every((input) => done[input] === 1)) {
        left.push(action);
        continue;
      }
      fired = true;
      const failure = paper.failureFor(action);
      steps.push({ action, failed: failure !== null });
      if (failure === null) {
        paper.succeed(action, graph);
        done[action.id] = 1;
      } else {
        paper.fail(action as ResourceAction, failure, graph.startFailureIsFatal);
        abortPriority = INFINITE;
        done[action.id] = action.priority >= INFINITE ? 1 : 0;
      }
    }
    pending = left;
  }
  return { cib: paper.result(), steps, complete: pending.length === 0 && abortPriority < 0 };
}

const INFINITE = 1_000_000;

type History = { attributes: Record<string, string>; entries: Element[]; others: Element[]; highestCall: number };

/** In document order; status may hold two with one id, and then the last is written to. */
type Histories = { readonly list: History[]; readonly byId: Map<string, History> };

/** A node's part of the status section, taken apart for editing. */
type NodeSheet = {
  attributes: Record<string, string>;
  children: Element[];
  /** Histories by id; built when the first result is written. */
  histories: Histories | null;
};

class Paper {
  private readonly cib: Element;
  private readonly options: ExecutionOptions;
  private readonly sheets: NodeSheet[] = [];
  private readonly byId = new Map<string, NodeSheet>();
  private readonly byName = new Map<string, NodeSheet>();
  private readonly others: Element[] = [];

  constructor(cib: Element, options: ExecutionOptions) {
    this.cib = cib;
    this.options = options;
    for (const child of childOf(cib, "status")?.children ?? []) {
      if (child.name !== "node_state") {
        this.others.push(child);
        continue;
      }
      const sheet: NodeSheet = { attributes: { ...child.attributes }, children: [...child.children], histories: null };
      this.addSheet(sheet);
    }
  }

  private addSheet(sheet: NodeSheet): void {
    this.sheets.push(sheet);
    const id = sheet.attributes["id"]?.toLowerCase();
    const name = sheet.attributes["uname"]?.toLowerCase();
    if (id !== undefined && !this.byId.has(id)) this.byId.set(id, sheet);
    if (name !== undefined && !this.byName.has(name)) this.byName.set(name, sheet);
  }

  private sheetFor(name: string, id: string): NodeSheet {
    const found = this.byId.get(id.toLowerCase()) ?? this.byName.get(name.toLowerCase());
    if (found !== undefined) {
      found.attributes["uname"] ??= name;
      return found;
    }
    const sheet: NodeSheet = { attributes: { id, uname: name }, children: [], histories: null };
    this.addSheet(sheet);
    return sheet;
  }

  failureFor(action: GraphAction): InjectedFailure | null {
    if (action.kind !== "resource") return null;
    for (const failure of this.options.failures ?? []) {
      if (failure.task !== action.task || failure.intervalMs !== action.intervalMs || failure.node !== action.node) continue;
      if (failure.resource === action.resource || failure.resource === action.instance || failure.resource === action.historyName)
        return failure;
    }
    return null;
  }

  succeed(action: GraphAction, _graph: TransitionGraph): void {
    switch (action.kind) {
      case "pseudo":
      case "cluster":
        return;
      case "fence":
        if (action.task !== "on") this.fenced(action);
        return;
      case "resource":
        if (action.task !== "delete") this.record(action, action.targetRc);
        return;
    }
  }

  /** A fenced node is offline, with history and transient attributes gone (X2, X6). */
  private fenced(action: FenceAction): void {
    const sheet = this.sheetFor(action.node, action.nodeId);
    sheet.attributes["in_ccm"] = "false";
    sheet.attributes["crmd"] = "offline";
    sheet.attributes["join"] = "down";
    sheet.attributes["expected"] = "down";
    sheet.children = [];
    sheet.histories = null;
  }

  fail(action: ResourceAction, failure: InjectedFailure, startIsFatal: boolean): void {
    this.record(action, failure.rc);
    if (action.task === "monitor" && action.intervalMs === 0 && failure.rc === 7) return;
    const fatal = action.task === "stop" || (action.task === "start" && startIsFatal);
    const sheet = this.sheetFor(action.node, action.nodeId);
    const suffix = `${action.historyName.replace(/:\d+$/, "")}#${action.task}_${action.intervalMs}`;
    setTransient(sheet, `fail-count-${suffix}`, (old) => (fatal ? "INFINITY" : String((Number.parseInt(old ?? "0", 10) || 0) + 1)));
    setTransient(sheet, `last-failure-${suffix}`, () => String(this.options.wallSec));
  }

  /** One history entry; an existing one with the same id is overwritten in place, keeping its `on_node` (X3, X6). */
  private record(action: ResourceAction, rc: number): void {
    const sheet = this.sheetFor(action.node, action.nodeId);
    const histories = this.historiesOf(sheet);
    const { byId } = histories;
    let history = byId.get(action.historyName) ?? byId.get(action.resource) ?? byId.get(action.instance);
    if (history === undefined) {
      const attributes: Record<string, string> = { id: action.historyName, class: action.agent.agentClass, type: action.agent.type };
      if (action.agent.provider !== null) attributes["provider"] = action.agent.provider;
      history = { attributes, entries: [], others: [], highestCall: 0 };
      histories.list.push(history);
      byId.set(action.historyName, history);
    }
    const name = history.attributes["id"] ?? action.historyName;
    const task = action.task === "reload-agent" ? "start" : action.task;
    const failed = rc !== action.targetRc;
    const id = entryId(action, name, task, failed);
    const previous = history.entries.findIndex((entry) => attributeOf(entry, "id") === id);
    const entry = this.entryOf(action, { id, name, task, rc, failed, callId: ++history.highestCall });
    if (previous < 0) {
      history.entries.push(entry);
      return;
    }
    const onNode = attributeOf(history.entries[previous]!, "on_node");
    history.entries[previous] = onNode === undefined ? entry : withAttributes(entry, { on_node: onNode });
  }

  private entryOf(
    action: ResourceAction,
    what: {
      readonly id: string;
      readonly name: string;
      readonly task: string;
      readonly rc: number;
      readonly failed: boolean;
      readonly callId: number;
    },
  ): Element {
    const key = `${action.id}:-1:${action.targetRc}:${PAPER_KEY}`;
    const status = what.failed ? "4" : "0";
    const attributes: Record<string, string> = {
      id: what.id,
      operation: what.task,
      operation_key: `${what.name}_${what.task}_${action.intervalMs}`,
      "call-id": String(what.callId),
      "rc-code": String(what.rc),
      "op-status": status,
      interval: String(action.intervalMs),
      "transition-key": key,
      "transition-magic": `${status}:${what.rc};${key}`,
      "last-rc-change": String(this.options.wallSec),
      "exec-time": "0",
      "queue-time": "0",
      "op-digest": action.digests.all,
    };
    if (action.migration !== null) {
      attributes["migrate_source"] = action.migration.source;
      attributes["migrate_target"] = action.migration.target;
    }
    return element("lrm_rsc_op", attributes);
  }

  private historiesOf(sheet: NodeSheet): Histories {
    if (sheet.histories !== null) return sheet.histories;
    const histories: Histories = { list: [], byId: new Map() };
    const lrm = sheet.children.find((child) => child.name === "lrm");
    const list = lrm === undefined ? undefined : childOf(lrm, "lrm_resources");
    for (const resource of list?.children ?? []) {
      const id = attributeOf(resource, "id");
      if (resource.name !== "lrm_resource" || id === undefined) continue;
      const entries = resource.children.filter((child) => child.name === "lrm_rsc_op");
      const others = resource.children.filter((child) => child.name !== "lrm_rsc_op");
      let highestCall = 0;
      for (const entry of entries) highestCall = Math.max(highestCall, Number.parseInt(attributeOf(entry, "call-id") ?? "0", 10) || 0);
      const history = { attributes: { ...resource.attributes }, entries: [...entries], others, highestCall };
      histories.list.push(history);
      histories.byId.set(id, history);
    }
    sheet.histories = histories;
    return histories;
  }

  result(): Element {
    const states = this.sheets.map((sheet) => element("node_state", sheet.attributes, childrenOfSheet(sheet)));
    const status = element("status", {}, [...states, ...this.others]);
    const rest = this.cib.children.filter((child) => child.name !== "status");
    return withChildren(this.cib, [...rest, status]);
  }
}

function childrenOfSheet(sheet: NodeSheet): readonly Element[] {
  if (sheet.histories === null) return sheet.children;
  const resources = sheet.histories.list.map((history) =>
    element("lrm_resource", history.attributes, [...history.entries, ...history.others]),
  );
  const old = sheet.children.find((child) => child.name === "lrm");
  const lrm = element("lrm", old?.attributes ?? { id: sheet.attributes["id"] ?? "" }, [element("lrm_resources", {}, resources)]);
  const index = sheet.children.findIndex((child) => child.name === "lrm");
  return index < 0 ? [...sheet.children, lrm] : sheet.children.map((child, at) => (at === index ? lrm : child));
}

/** Names entries as executors do: one for the last one-off operation, one per recurring one. */
function entryId(action: ResourceAction, name: string, task: string, failed: boolean): string {
  if (action.notification !== null) return `${name}_${action.notification.type}_notify_${action.notification.operation}_0`;
  if (failed) return `${name}_last_failure_0`;
  return action.intervalMs === 0 ? `${name}_last_0` : `${name}_${task}_${action.intervalMs}`;
}

/** Sets a transient attribute of a node. */
function setTransient(
  sheet: { attributes: Record<string, string>; children: Element[] },
  name: string,
  change: (old: string | undefined) => string,
): void {
  const id = sheet.attributes["id"] ?? "";
  let transient = sheet.children.find((child) => child.name === "transient_attributes");
  const index = sheet.children.findIndex((child) => child.name === "transient_attributes");
  transient ??= element("transient_attributes", { id }, []);
  const block = childOf(transient, "instance_attributes") ?? element("instance_attributes", { id: `status-${id}` }, []);
  const pair = block.children.find((child) => attributeOf(child, "name") === name);
  const next = element("nvpair", {
    id: `status-${id}-${name}`,
    name,
    value: change(pair === undefined ? undefined : attributeOf(pair, "value")),
  });
  const pairs = pair === undefined ? [...block.children, next] : block.children.map((child) => (child === pair ? next : child));
  const rest = transient.children.filter((child) => child.name !== "instance_attributes");
  const updated = withChildren(transient, [withChildren(block, pairs), ...rest]);
  if (index < 0) sheet.children.push(updated);
  else sheet.children[index] = updated;
}

/** What a cluster action of the graph says, for the text report. */
export function describeClusterAction(action: ClusterAction): string {
  return action.resource === null ? `${action.task} on ${action.node}` : `${action.task} for ${action.resource} on ${action.node}`;
}
