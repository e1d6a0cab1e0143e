import { type MemberId, memberId } from "../base/index.ts";
import { activeOn, type Command, type NodeStatus, VOTES_MAX } from "../cib/index.ts";
import { type ConfigChange, enterJoint, voteResult } from "../raft/index.ts";
import type { Ask, Desk } from "./desk.ts";
import { RequestError } from "./params.ts";
import { refusedByRaft, unknownNode } from "./request-parts.ts";
import { type Admission, REQUEST_TIMEOUT_MS } from "./types.ts";

/** A member has an address on each of at most so many rings. */
const ADDRESSES_MAX = 4;
const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/;
const PORT_MAX = 65_535;

/** `host:port`, as members are found under. */
export function isMemberAddress(text: unknown): text is string {
  const port = typeof text === "string" ? Number(ADDRESS.exec(text)?.[1] ?? 0) : 0;
  return port >= 1 && port <= PORT_MAX;
}

/** Requests that change who is a member, with how many votes, and who leads. Each may be sent again: what is so already is done. */
export class MembershipRequests {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  votes(ask: Ask, node: NodeStatus, votes: number): void {
    const target = this.#desk.memberOf(node);
    if (!Number.isSafeInteger(votes) || votes < 0 || votes > VOTES_MAX) {
      throw new RequestError("BAD_REQUEST", `parameter votes must be from 0 to ${VOTES_MAX}`);
    }
    if (votes === 0 || node.witness === true) this.#mustNotBeLast(node.name, target);
    const changes: readonly ConfigChange[] = [votes > 0 ? voterChange(node, target, votes) : { op: "learner", id: target }];
    this.#mustKeepQuorum(changes);
    // The wish is replicated first: the leader brings a learner that is wanted as a voter to its votes, and no other.
    this.#desk.propose(ask, [{ kind: "node.votes", node: node.name, votes, memberId: target }], () => this.#done(ask, changes));
  }

  /** Replaces the addresses under which a member is found; its links move as soon as this is committed. */
  address(ask: Ask, node: NodeStatus, addresses: readonly string[]): void {
    const member = this.#desk.memberOf(node);
    const row = this.#desk.host.raftStatus.configuration.members.get(member);
    if (row === undefined) throw new RequestError("NODE_UNKNOWN", `${node.name} is no member of the cluster`);
    if (addresses.length < 1 || addresses.length > ADDRESSES_MAX || !addresses.every(isMemberAddress)) {
      throw new RequestError("BAD_REQUEST", `parameter addresses must be 1 to ${ADDRESSES_MAX} of host:port, ports from 1 to ${PORT_MAX}`);
    }
    this.#done(ask, [{ op: "member", id: member, member: { ...row, addresses } }]);
  }

  /**
   * The node goes before the member: a member that is gone falls silent, and a silent node is lost, not forgotten. When
   * the second step fails the member is left without its node: the leader takes it out (`strangers`), and so does a
   * second request by the same name.
   */
  remove(ask: Ask, name: string, force: boolean): unknown {
    const { host } = this.#desk;
    const node = host.state.nodes.get(name);
    if (node === undefined) return this.#removeStranger(ask, name);
    const active = activeOn(host.state, node);
    if (active.length > 0 && !force) {
      const text = `${active.join(", ")} on ${name}: move them away first (\`node standby ${name}\`, or \`cluster stop ${name}\`)`;
      throw new RequestError("NODE_ACTIVE", `resources run there: ${text}`, { facts: { resources: active } });
    }
    if (node.membership === "lost" && node.witness !== true)
      throw new RequestError(
        "NODE_ACTIVE",
        `${name} is lost and not proven down; \`node fence\` it, or vouch for it (\`node clearstate ${name}\`)`,
      );
    const { memberId: member } = node;
    const forget: Command = { kind: "node.forget", node: name, ...(member === null ? {} : { memberId: member }) };
    const { members, outgoing } = host.raftStatus.configuration;
    if (member === null || !members.has(memberId(member))) return this.#desk.write(ask, [forget]);
    // What the second step would be refused for is refused before the first one.
    this.#mustNotBeLast(name, memberId(member));
    if (outgoing.size > 0) throw refusedByRaft("change-pending");
    const changes: readonly ConfigChange[] = [{ op: "remove", id: memberId(member) }];
    this.#mustKeepQuorum(changes);
    this.#desk.propose(ask, [forget], () => this.#done(ask, changes));
  }

  #removeStranger(ask: Ask, name: string): unknown {
    const stranger = this.strangers().find((member) => this.#desk.host.raftStatus.configuration.members.get(member)?.name === name);
    if (stranger !== undefined) return this.#done(ask, [{ op: "remove", id: stranger }]);
    const known = this.#desk.recall(ask);
    if (known?.ok !== true) throw unknownNode(name);
    this.#desk.finish(ask.id, this.#desk.position());
  }

  /** Members without a node: a removal that was interrupted between its two steps. */
  strangers(): readonly MemberId[] {
    const { state, raftStatus } = this.#desk.host;
    const known = new Set([...state.nodes.values()].map((node) => node.memberId));
    return [...raftStatus.configuration.members.keys()].filter((member) => !known.has(member));
  }

  #mustNotBeLast(name: string, target: MemberId): void {
    const { voters, witnesses } = this.#desk.host.raftStatus.configuration;
    const others = [...voters].filter(([other]) => other !== target && !witnesses.has(other));
    if (others.length === 0) throw new RequestError("MEMBERSHIP_REFUSED", `${name} is the last member that votes and can lead`);
  }

  /**
   * A change is agreed to by both halves (RAFT.md §2 feature 7): one whose new half is not there to agree would be begun
   * and never end, and block every other write until then. Who has been silent for the default of
   * `node-loss-timeout` is not there; only the leader knows, so daemons pass these requests on to it.
   */
  #mustKeepQuorum(changes: readonly ConfigChange[]): void {
    const { raftStatus, options, timing, nowMs } = this.#desk.host;
    const { configuration, role, peers } = raftStatus;
    const next = enterJoint(configuration, changes, true);
    if (role !== "leader" || typeof next === "string") return;
    const isThere = (id: MemberId): boolean => {
      if (id === options.memberId) return true;
      const heardMs = peers.get(id)?.lastHeardMs ?? null;
      return heardMs !== null && nowMs - heardMs <= timing.nodeLossMs;
    };
    const answers = new Map([...next.voters.keys()].map((id) => [id, isThere(id)]));
    if (voteResult({ voters: next.voters, outgoing: new Map() }, answers) === "won") return;
    const silent = [...answers].flatMap(([id, there]) => (there ? [] : [next.members.get(id)?.name ?? String(id)]));
    throw new RequestError(
      "MEMBERSHIP_REFUSED",
      `without ${silent.join(", ")}, not heard of at present, the members that would be left have no quorum: bring ${silent.length > 1 ? "them" : "it"} back, or take ${silent.length > 1 ? "their votes" : "its vote"} first`,
      { facts: { silent } },
    );
  }

  transfer(ask: Ask, node: NodeStatus): void {
    const to = this.#desk.memberOf(node);
    if (node.witness === true)
      throw new RequestError("MEMBERSHIP_REFUSED", `${node.name} is a witness: it leads only while nobody else can`);
    if ((this.#desk.host.raftStatus.configuration.voters.get(to) ?? 0) === 0)
      throw new RequestError("MEMBERSHIP_REFUSED", `${node.name} has no vote, so it cannot lead`);
    this.#desk.step(
      (context) => ({ kind: "transfer", context, to }),
      (answer) => {
        if (answer.kind !== "transfer") return;
        if (answer.outcome.kind === "done") this.#desk.finish(ask.id, this.#desk.position());
        else this.#desk.fail(ask.id, refusedByRaft(answer.outcome.reason));
      },
    );
    this.#desk.wait(ask.id, REQUEST_TIMEOUT_MS, () => null);
  }

  /** Takes a joining member's token, gives it a node, makes it a learner and, caught up, a voter. */
  admit(id: number, admission: Admission): void {
    const ask: Ask = { id, origin: null, repeated: false };
    const { tokenHash, node, addresses } = admission;
    const role = admission.witness === true ? { witness: true } : {};
    this.#desk.propose(ask, [{ kind: "token.use", hash: tokenHash, memberId: admission.memberId }], () => {
      this.#desk.propose(ask, [{ kind: "node.join", node, memberId: admission.memberId, ...role }], () => {
        const member = { name: node, addresses, incarnation: null };
        const configuration = this.#desk.host.raftStatus.configuration;
        const stale = [...configuration.members].filter(([other, row]) => row.name === node && other !== admission.memberId);
        const removals = stale.map(([other]): ConfigChange => ({ op: "remove", id: other }));
        // Answered when the learner is committed: its daemon can only catch up after this answer.
        this.#desk.change(id, [...removals, { op: "learner", id: admission.memberId, member }], () => {
          this.#desk.finish(id, this.#desk.position());
          this.promoteWhenCaughtUp(admission.memberId);
        });
      });
    });
  }

  /** Asks for a learner to become a voter; repeated by the leader until it has caught up. */
  promoteWhenCaughtUp(member: MemberId): void {
    const { host } = this.#desk;
    const node = [...host.state.nodes.values()].find((candidate) => candidate.memberId === member);
    const votes = node?.votesWanted ?? 1;
    if (node === undefined || votes === 0) return;
    this.#propose([voterChange(node, member, votes)], { member }, "a learner could not become a voter yet");
  }

  /**
   * Finishes a removal that was interrupted after its node was forgotten; true when there was one. Called every few
   * seconds on the leader: only who was a stranger at the last call too is removed, because a member that joins under a
   * known name makes its predecessor one for a moment.
   */
  removeStrangers(): boolean {
    const before = this.#strangersSeen;
    this.#strangersSeen = this.#desk.host.state.cluster === null ? [] : this.strangers();
    const removed = this.#strangersSeen.filter((member) => before.includes(member));
    if (removed.length === 0) return false;
    const changes = removed.map((id): ConfigChange => ({ op: "remove", id }));
    this.#propose(changes, { members: removed }, "members without a node could not be removed yet");
    return true;
  }

  #strangersSeen: readonly MemberId[] = [];

  #propose(changes: readonly ConfigChange[], facts: Readonly<Record<string, unknown>>, failure: string): void {
    const { host } = this.#desk;
    this.#desk.step(
      (context) => ({ kind: "proposeChange", context, request: { kind: "change", mode: "joint", changes } }),
      (answer) => {
        if (answer.kind !== "change" || answer.outcome.kind === "done") return;
        host.log("info", { ...facts, reason: answer.outcome.reason }, failure);
      },
    );
  }

  #done(ask: Ask, changes: readonly ConfigChange[]): void {
    this.#desk.change(ask.id, changes, () => this.#desk.finish(ask.id, this.#desk.position()));
  }
}

function voterChange(node: NodeStatus, member: MemberId, votes: number): ConfigChange {
  return { op: "voter", id: member, votes, ...(node.witness === true ? { witness: true } : {}) };
}
