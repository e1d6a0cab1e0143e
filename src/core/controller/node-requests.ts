import { type Command, DETACH_MAX_MS, type FencingRecord, type NodeStatus, propertyOf } from "../cib/index.ts";
import type { Ask, Desk } from "./desk.ts";
import { durationMs } from "./drafts.ts";
import { stampMs } from "./host.ts";
import { type Params, RequestError } from "./params.ts";
import { failCountOf, unknownNode, WAIT_MAX_MS } from "./request-parts.ts";

/** Fencing by an operator may take this long on top of the device's own timeout, milliseconds. */
const FENCE_WAIT_EXTRA_MS = 60_000;

/** Requests about one node, and about what has happened to resources there. */
export class NodeRequests {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  cleanup(ask: Ask, params: Params, scope: "failures" | "all"): void {
    const resource = params.optionalText("resource");
    const node = params.optionalText("node");
    if (node !== null && !this.#desk.host.state.nodes.has(node)) throw unknownNode(node);
    const operation = params.optionalText("operation");
    const selection = { resource, node, operation, intervalMs: params.optionalNumber("intervalMs"), scope };
    this.#desk.write(ask, [{ kind: "history.delete", selection }]);
  }

  failCount(ask: Ask, node: NodeStatus, params: Params): unknown {
    const resource = params.text("resource");
    const action = params.oneOf("action", ["show", "set", "delete"], "show");
    const operation = params.optionalText("operation");
    const intervalMs = params.optionalNumber("intervalMs");
    if (action === "show") return this.#desk.finish(ask.id, failCountOf(node, resource, operation, intervalMs));
    const value = action === "delete" ? 0 : (params.optionalNumber("value") ?? 0);
    // A count without an operation is kept as that of any monitor, as Pacemaker's tools do.
    const named = value > 0 && operation === null ? { operation: "monitor", intervalMs: 0 } : { operation, intervalMs };
    return this.#desk.write(ask, [{ kind: "failcount.set", resource, node: node.name, ...named, value }]);
  }

  fence(ask: Ask, node: NodeStatus, action: "off" | "reboot"): void {
    const { host } = this.#desk;
    const startedMs = host.nowMs;
    const command: Command = {
      kind: "fencing.request",
      target: node.name,
      action,
      reason: "asked for by an operator",
      source: "operator",
      basedOn: null,
    };
    const deviceMs = durationMs(propertyOf(host.state, "fencing-timeout", "stonith-timeout")) ?? 60_000;
    const late = (): RequestError =>
      new RequestError("FENCING_FAILED", `${node.name} is not proven down yet; the cluster goes on trying (see the history of fencing)`);
    this.#desk.propose(ask, [command], ([requested]) => {
      const check = (): { readonly result: unknown } | null => {
        const record = this.#outcomeOf(requested?.value ?? null);
        if (record === undefined) return null;
        if (!record.ok)
          throw new RequestError("FENCING_FAILED", `${node.name} could not be fenced: ${record.detail ?? "every device failed"}`);
        return { result: { index: requested?.index ?? host.state.index, by: record.by, elapsedMs: host.nowMs - startedMs } };
      };
      this.#desk.wait(ask.id, 2 * deviceMs + FENCE_WAIT_EXTRA_MS, check, late);
    });
  }

  /** By the number of the request, not by the clock: the answer is the same however late it is asked for. */
  #outcomeOf(request: number | null): FencingRecord | undefined {
    return [...this.#desk.host.state.fencingHistory].reverse().find((record) => request !== null && record.request === request);
  }

  confirm(ask: Ask, node: NodeStatus): unknown {
    const known = this.#desk.recall(ask);
    if (known?.ok === true) return this.#desk.finishWith(ask.id, known);
    if (node.membership === "online") throw new RequestError("NODE_ACTIVE", `${node.name} is online; fence it instead`);
    this.#desk.write(ask, [{ kind: "node.fenced", target: node.name, incarnation: node.incarnation, by: "operator", action: "off" }]);
  }

  detach(ask: Ask, node: NodeStatus, seconds: number): void {
    if (node.memberId === null || node.incarnation === null) throw unknownNode(node.name);
    // Nobody recovers the node's resources before the end of it, so a slip of the hand must not make it years.
    if (!(seconds >= 1 && seconds * 1000 <= DETACH_MAX_MS))
      throw new RequestError("BAD_REQUEST", `parameter seconds must be from 1 to ${DETACH_MAX_MS / 1000}`);
    const untilMs = stampMs(this.#desk.host) + Math.ceil(seconds) * 1000;
    this.#desk.write(ask, [{ kind: "node.detach", memberId: node.memberId, incarnation: node.incarnation, untilMs }]);
  }

  shutdown(ask: Ask, node: NodeStatus): void {
    const desk = this.#desk;
    const { name, membership } = node;
    if (membership !== "online" && membership !== "offline")
      throw new RequestError(
        "NODE_NOT_ONLINE",
        `${name} is ${membership === "never" ? "not up yet" : membership}: nobody there hears that it should leave`,
      );
    const value = String(Math.floor(stampMs(desk.host) / 1000));
    desk.propose(ask, [{ kind: "attribute.set", changes: [{ node: name, name: "shutdown", value }] }], () =>
      desk.wait(ask.id, WAIT_MAX_MS, () => {
        const now = desk.host.state.nodes.get(name)?.membership;
        return now === "offline" ? { result: desk.position() } : null;
      }),
    );
  }
}
