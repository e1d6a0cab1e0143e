import { type Command, isSettled, type NodeStatus } from "../cib/index.ts";
import { diffConfigurations, emptyConfiguration, initialConfiguration } from "../crm/index.ts";
import { ConfigurationRequests } from "./configuration-requests.ts";
import { type Ask, Desk } from "./desk.ts";
import { type Host, stampMs } from "./host.ts";
import type { Leader } from "./leader.ts";
import { MembershipRequests } from "./membership-requests.ts";
import { NodeRequests } from "./node-requests.ts";
import { Params, RequestError } from "./params.ts";
import { LIFETIMES, tooLate, unknownNode, WAIT_MAX_MS } from "./request-parts.ts";
import { cibOf, clusterStatusOf, fencingRow, isQuorate, leaderName, statusOf, transitionOf } from "./status.ts";
import type { Admission } from "./types.ts";

/** Refusals that are about the request itself, whatever the state is. */
const ABOUT_THE_REQUEST: ReadonlySet<string> = new Set([
  "BAD_REQUEST",
  "UNKNOWN_METHOD",
  "ALREADY_INITIALISED",
  "PLAN_NONE",
  "POLICY_WORKER_DOWN",
]);

/** Answers requests of people and programs (docs/api.md). */
export class Requests {
  readonly desk: Desk;
  readonly #leader: Leader;
  readonly #configuration: ConfigurationRequests;
  readonly #nodes: NodeRequests;
  readonly membership: MembershipRequests;

  constructor(host: Host, leader: Leader) {
    this.desk = new Desk(host);
    this.#leader = leader;
    this.#configuration = new ConfigurationRequests(this.desk);
    this.#nodes = new NodeRequests(this.desk);
    this.membership = new MembershipRequests(this.desk);
  }

  onRequest(id: number, method: string, plain: unknown): void {
    if (!this.desk.open(id)) return;
    this.desk.guarded(id, () => {
      const params = new Params(plain);
      this.#decide({ id, ...params.session() }, method, params, false);
    });
  }

  /** Brings a joining member in. */
  onAdmit(id: number, admission: Admission): void {
    if (this.desk.open(id)) this.membership.admit(id, admission);
  }

  /**
   * A refusal that comes from this node's own state must be one of the present: after a restart, or behind a slow link,
   * a node knows only what was. So what is refused is decided once more on a state that a leader has confirmed.
   */
  #decide(ask: Ask, method: string, params: Params, confirmed: boolean): void {
    try {
      this.#dispatch(ask, method, params);
    } catch (error) {
      if (!(error instanceof RequestError) || confirmed || ABOUT_THE_REQUEST.has(error.code)) throw error;
      this.desk.upToDate(
        ask.id,
        () => this.#decide(ask, method, params, true),
        () => error,
      );
    }
  }

  #dispatch(ask: Ask, method: string, params: Params): unknown {
    const { host } = this.desk;
    const { id } = ask;
    switch (method) {
      case "ping":
        return this.desk.finish(id, { version: host.options.version, apiVersion: 1, node: host.options.node, phase: "member" });
      case "status":
        return this.desk.finish(id, statusOf(host, this.#leader));
      case "cib.get":
        return this.#cib(id, params);
      case "cluster.status":
        return this.desk.finish(id, clusterStatusOf(host));
      case "transition":
        return this.desk.finish(id, transitionOf(host, this.#leader));
      case "policy":
        return this.#policy(id);
      case "fencing.history":
        return this.#fencingHistory(id, params.optionalText("node"));
      case "session.open":
        return this.desk.propose(ask, [{ kind: "session.open" }], ([opened]) => this.desk.finish(id, { client: opened?.value }));
      case "session.close":
        return this.desk.write(ask, [{ kind: "session.close", client: params.number("client") }]);
      case "config.commit":
        return this.#configuration.commit(ask, params);
      case "config.upload":
        return this.#configuration.upload(ask, params);
      case "config.uploadStatus":
        return this.#configuration.uploadStatus(ask, params);
      case "config.uploadDrop":
        return this.#configuration.uploadDrop(ask, params);
      case "resource.cleanup":
      case "resource.refresh":
        return this.#nodes.cleanup(ask, params, method === "resource.refresh" ? "all" : "failures");
      case "resource.failcount":
        return this.#nodes.failCount(ask, this.#node(params), params);
      case "wait.idle":
        return this.#waitIdle(id, params.optionalNumber("timeoutMs") ?? 60_000);
      case "cluster.init":
      case "cluster.join":
        throw new RequestError("ALREADY_INITIALISED", "this node is a member of a cluster already");
      case "internal.create":
        return this.#create(ask, params.text("clusterId"), params.text("name"));
      case "internal.forced":
        return this.#forced(ask);
      case "internal.token":
        return this.desk.write(ask, [
          { kind: "token.put", hash: params.text("hash"), expiresMs: stampMs(host) + (params.optionalNumber("lifeMs") ?? 0) },
        ]);
      default:
        return method.startsWith("cluster.") ? this.#dispatchCluster(ask, method, params) : this.#dispatchNode(ask, method, params);
    }
  }

  #dispatchNode(ask: Ask, method: string, params: Params): unknown {
    switch (method) {
      case "node.attribute": {
        const lifetime = params.oneOf("lifetime", LIFETIMES, "forever");
        return this.#configuration.attribute(ask, this.#node(params), params.text("name"), params.optionalText("value"), lifetime);
      }
      case "node.standby": {
        const lifetime = params.oneOf("lifetime", LIFETIMES, "forever");
        return this.#configuration.attribute(ask, this.#node(params), "standby", params.flag("on", true) ? "on" : null, lifetime);
      }
      case "node.maintenance":
        return this.#configuration.attribute(ask, this.#node(params), "maintenance", params.flag("on", true) ? "true" : null, "forever");
      case "node.fence":
        return this.#nodes.fence(ask, this.#node(params), params.oneOf("action", ["off", "reboot"], "reboot"));
      case "node.confirm":
        return this.#nodes.confirm(ask, this.#node(params));
      case "node.detach":
        return this.#nodes.detach(ask, this.#ownOr(params), params.optionalNumber("seconds") ?? 60);
      case "node.shutdown":
        return this.#nodes.shutdown(ask, this.#ownOr(params));
      default:
        throw unknownMethod(method);
    }
  }

  #dispatchCluster(ask: Ask, method: string, params: Params): unknown {
    switch (method) {
      case "cluster.votes":
      case "cluster.promote":
        return this.membership.votes(ask, this.#node(params), params.optionalNumber("votes") ?? 1);
      case "cluster.demote":
        return this.membership.votes(ask, this.#node(params), 0);
      case "cluster.address":
        return this.membership.address(ask, this.#node(params), params.texts("addresses"));
      case "cluster.remove":
        return this.membership.remove(ask, params.text("node"), params.flag("force", false));
      case "cluster.transfer":
        return this.membership.transfer(ask, this.#node(params));
      default:
        throw unknownMethod(method);
    }
  }

  #cib(id: number, params: Params): unknown {
    const section = params.oneOf("section", ["all", "configuration", "status"], "all");
    const give = (): void => {
      const { state } = this.desk.host;
      const whole = cibOf(this.desk.host);
      const cib = section === "all" ? whole : (whole.children.find((child) => child.name === section) ?? whole);
      this.desk.finish(id, { cib, epoch: state.epoch, index: state.index, featureLevel: state.featureLevel });
    };
    return params.flag("linearizable", true) ? this.desk.upToDate(id, give) : give();
  }

  /** A member that was being removed when the others were lost has no node any more: the cluster is nothing without it. */
  #forced(ask: Ask): void {
    const { node, memberId } = this.desk.host.options;
    const back = this.desk.host.self === undefined ? [{ kind: "node.join", node, memberId } as const] : [];
    this.desk.write(ask, [...back, { kind: "cluster.forced", memberId }]);
  }

  #create(ask: Ask, clusterId: string, name: string): void {
    const { node, memberId: member } = this.desk.host.options;
    const create: Command = { kind: "cluster.create", clusterId, name, node, memberId: member };
    // One proposal: nobody ever sees a new cluster without its first configuration (docs/decisions/0301).
    this.desk.write(ask, [create, { kind: "config.edit", edits: diffConfigurations(emptyConfiguration(), initialConfiguration()) }]);
  }

  #policy(id: number): void {
    const { desk } = this;
    const { host } = desk;
    if (!desk.plannerUp) throw new RequestError("PLAN_NONE", "the policy worker is not running", { retryable: true });
    const context = desk.askPlanner(id, (message) => {
      if (message.kind !== "explained") return;
      if ("problem" in message.outcome) throw new RequestError("POLICY_FAILED", message.outcome.problem.message);
      const { plan } = message.outcome;
      const { summary, placements, scores, graph, recheckAtMs } = plan;
      desk.finish(id, { basedOn: message.basedOn, computedMs: message.computedMs, summary, placements, scores, graph, recheckAtMs });
    });
    const explain = { kind: "explain", id: context, quorate: isQuorate(host), node: leaderName(host), nowMs: stampMs(host) } as const;
    host.emit({ kind: "planner", message: explain });
  }

  #fencingHistory(id: number, node: string | null): void {
    const rows = this.desk.host.state.fencingHistory.filter((record) => node === null || record.target === node);
    this.desk.finish(id, { history: [...rows].reverse().map(fencingRow) });
  }

  #waitIdle(id: number, timeoutMs: number): void {
    const { desk } = this;
    const endMs = desk.host.nowMs + Math.min(timeoutMs, WAIT_MAX_MS);
    desk.confirmed(id, timeoutMs, tooLate, (from) =>
      desk.wait(id, endMs - desk.host.nowMs, () => {
        const { state } = desk.host;
        return state.index >= from && isSettled(state) ? { result: { index: state.index, idle: true } } : null;
      }),
    );
  }

  #node(params: Params): NodeStatus {
    return this.#named(params.text("node"));
  }

  #ownOr(params: Params): NodeStatus {
    return this.#named(params.optionalText("node") ?? this.desk.host.options.node);
  }

  #named(name: string): NodeStatus {
    const node = this.desk.host.state.nodes.get(name);
    if (node === undefined) throw unknownNode(name);
    return node;
  }
}

function unknownMethod(method: string): RequestError {
  return new RequestError("UNKNOWN_METHOD", `there is no method ${method}`);
}
