import { createHash } from "node:crypto";
import { type Element, element } from "../../../src/core/cib/index.ts";
import { type Draw, NOW_SEC } from "./draw.ts";
import type { MadeOperation, MadePrimitive } from "./resources.ts";

const UUID = "11111111-2222-3333-4444-555555555555";

/** Recorded digest of an operation: MD5 of the parameters as an element. */
function digest(primitive: MadePrimitive, operation: MadeOperation | null): string {
  const pairs: Record<string, string> = { ...primitive.parameters };
  if (operation !== null && operation.intervalMs > 0) pairs["CRM_meta_timeout"] = String(operation.timeoutMs);
  const attributes = Object.keys(pairs)
    .sort()
    .map((name) => ` ${name}="${pairs[name]}"`)
    .join("");
  return createHash("md5").update(` <parameters${attributes}/>\n`).digest("hex");
}

/** Where an instance is, or why not, as its history on one node shows it. */
export type Presence =
  | "stopped"
  | "started"
  | "promoted"
  | "unknown"
  | "monitor-failed"
  | "start-failed"
  | "stop-failed"
  | "promote-failed"
  | "probe-masked"
  | "start-pending"
  | "stopped-by-stop";

/** Writes one history; null: none. `tags` collects what it shows. */
export function historyOf(
  draw: Draw,
  primitive: MadePrimitive,
  how: { readonly name: string; readonly node: string; readonly presence: Presence; readonly tags: Set<string> },
): Element | null {
  if (how.presence === "unknown") return null;
  const writer = new HistoryWriter(draw, primitive, how.name, how.node);
  write(writer, primitive, how.presence, how.tags);
  const attributes: Record<string, string> = { id: how.name, class: primitive.agentClass, type: primitive.type };
  if (primitive.provider !== null) attributes["provider"] = primitive.provider;
  return element("lrm_resource", attributes, writer.entries);
}

function write(writer: HistoryWriter, primitive: MadePrimitive, presence: Presence, tags: Set<string>): void {
  const active = presence === "started" || presence === "promoted" || presence === "monitor-failed";
  switch (presence) {
    case "stopped":
      writer.once("monitor", 7, 7);
      return;
    case "stopped-by-stop":
      writer.once("stop", 0, 0);
      return;
    case "probe-masked":
      writer.once("monitor", writer.draw.pick([5, 2]), 7);
      return;
    case "start-failed":
      tags.add("failed-op");
      writer.once("start", writer.draw.pick([1, 5, 6, 1]), 0, "_last_failure_0");
      return;
    case "stop-failed":
      tags.add("failed-op");
      writer.once("stop", 1, 0, "_last_failure_0");
      return;
    case "promote-failed":
      tags.add("failed-op");
      writer.once("start", 0, 0);
      writer.once("promote", 1, 0, "_last_failure_0");
      return;
    case "start-pending":
      tags.add("pending-op");
      writer.pending("start");
      return;
    default:
  }
  if (!active) return;
  const promoted = presence === "promoted";
  writer.once(promoted ? "promote" : "start", 0, 0);
  const monitors = primitive.operations.filter((op) => op.name === "monitor" && op.intervalMs > 0 && op.role !== "Stopped");
  for (const op of monitors) {
    if (promoted !== (op.role === "Promoted")) continue;
    writer.recurring(op, promoted ? 8 : 0, promoted ? 8 : 0);
  }
  const failing = monitors.find((op) => op.role !== "Promoted");
  if (presence === "monitor-failed" && failing !== undefined) {
    tags.add("failed-op");
    writer.recurring(failing, writer.draw.pick([1, 7, 1]), 0, "_last_failure_0");
  }
}

class HistoryWriter {
  readonly entries: Element[] = [];
  readonly draw: Draw;
  private readonly primitive: MadePrimitive;
  private readonly name: string;
  private readonly node: string;
  private call: number;

  constructor(draw: Draw, primitive: MadePrimitive, name: string, node: string) {
    this.draw = draw;
    this.primitive = primitive;
    this.name = name;
    this.node = node;
    this.call = draw.between(1, 20);
  }

  once(task: string, rc: number, expected: number, suffix = "_last_0"): void {
    this.add(task, null, { rc, expected, id: `${this.name}${suffix}` });
  }

  recurring(operation: MadeOperation, rc: number, expected: number, suffix?: string): void {
    this.add(operation.name, operation, {
      rc,
      expected,
      id: suffix === undefined ? `${this.name}_monitor_${operation.intervalMs}` : `${this.name}${suffix}`,
    });
  }

  pending(task: string): void {
    this.add(task, null, { rc: 193, expected: 0, id: `${this.name}_last_0`, status: -1 });
  }

  private add(
    task: string,
    operation: MadeOperation | null,
    result: { readonly rc: number; readonly expected: number; readonly id: string; readonly status?: number },
  ): void {
    const interval = operation?.intervalMs ?? 0;
    const key = `${this.draw.between(1, 50)}:${this.draw.between(1, 20)}:${result.expected}:${UUID}`;
    const status = result.status ?? 0;
    const call = status === -1 ? -1 : this.call++;
    // A changed definition now and then.
    const recorded = this.draw.chance(3) ? "0123456789abcdef0123456789abcdef" : digest(this.primitive, operation);
    this.entries.push(
      element("lrm_rsc_op", {
        id: result.id,
        operation_key: `${this.name}_${task}_${interval}`,
        operation: task,
        interval: String(interval),
        "transition-key": key,
        "transition-magic": `${status}:${result.rc};${key}`,
        on_node: this.node,
        "call-id": String(call),
        "rc-code": String(result.rc),
        "op-status": String(status),
        "last-rc-change": String(NOW_SEC - this.draw.pick([30, 300, 4000])),
        "op-digest": recorded,
        crm_feature_set: "3.15.0",
      }),
    );
  }
}
