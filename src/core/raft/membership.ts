import { invariant, logIndex, type MemberId } from "../base/index.ts";
import {
  type ConfigurationError,
  checkChanges,
  checkConfiguration,
  enterJoint,
  isJoint,
  isMember,
  leaveJoint,
  simpleChange,
  votesOf,
} from "./configuration.ts";
import { appendEntries, configIndex, lastIndex, sizeAt } from "./log.ts";
import { flush } from "./replication.ts";
import {
  type CatchUp,
  config,
  configCommitted,
  isWitness,
  type Leadership,
  leaderReady,
  type Origin,
  ownOrigin,
  type PendingChange,
  type Server,
  sendNow,
  trackPeers,
  votes,
} from "./state.ts";
import { leaveOffice } from "./transfer.ts";
import type { ChangeOutcome, ChangeRequest, ConfigChange, Configuration, Message, Refusal } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;
type Change = ChangeRequest & { readonly kind: "change" };

/** A target of catch-up that says nothing for this many election timeouts fails the change. */
const SILENT_TIMEOUTS = 20;

/** A change wanted by the own host: started here by the leader, passed on by a follower that knows one. */
export function requestChange<C>(server: Server<C>, context: number, request: ChangeRequest): void {
  if (server.leadership === null && server.leader !== null) {
    sendNow(server, server.leader, { kind: "change", context, request });
    return;
  }
  startChange(server, ownOrigin(server, context), request);
}

export function onChange<C>(server: Server<C>, from: MemberId, message: OfKind<C, "change">): void {
  startChange(server, { context: message.context, member: from, boot: message.boot }, message.request);
}

export function onChangeReply<C>(server: Server<C>, message: OfKind<C, "changeReply">): void {
  if (message.forBoot !== server.settings.boot) return;
  server.out.answers.push({ kind: "change", context: message.context, outcome: message.outcome });
}

export function answerChange<C>(server: Server<C>, origin: Origin, outcome: ChangeOutcome): void {
  const { context, member, boot } = origin;
  if (member === null) server.out.answers.push({ kind: "change", context, outcome });
  else sendNow(server, member, { kind: "changeReply", context, forBoot: boot, outcome });
}

function refuse<C>(server: Server<C>, origin: Origin, reason: Refusal, detail: string): void {
  answerChange(server, origin, { kind: "refused", reason, detail, leader: server.leader });
}

function startChange<C>(server: Server<C>, origin: Origin, request: ChangeRequest): void {
  const { leadership } = server;
  if (leadership === null) {
    refuse(server, origin, server.leader === null ? "no-leader" : "not-leader", "this member does not lead");
    return;
  }
  const blocked = blockedBy(server, leadership);
  if (blocked !== null) {
    refuse(server, origin, blocked.reason, blocked.detail);
    return;
  }
  if (request.kind === "leave") startLeave(server, leadership, origin);
  else checkAndStart(server, leadership, origin, request);
}

/** One change at a time, and none before an entry of the own term is committed (the single-step bug of 2015). */
function blockedBy<C>(server: Server<C>, leadership: Leadership): { readonly reason: Refusal; readonly detail: string } | null {
  if (leadership.transfer !== null || isWitness(server, server.settings.id)) {
    return { reason: "transferring", detail: "leadership is being handed over" };
  }
  if (!leaderReady(server)) return { reason: "not-ready", detail: "the leader has not committed an entry of its own term" };
  if (leadership.change !== null || leadership.leave !== null || !configCommitted(server)) {
    return { reason: "change-pending", detail: "another change is under way" };
  }
  if (votes(server, server.settings.id) === 0) return { reason: "removed", detail: "the leader is being removed" };
  return null;
}

function startLeave<C>(server: Server<C>, leadership: Leadership, origin: Origin): void {
  const next = leaveJoint(config(server));
  if (typeof next === "string") {
    refuse(server, origin, "change-not-joint", "no joint configuration is in force");
    return;
  }
  leadership.leave = { origin, index: appendConfig(server, next) };
}

function checkAndStart<C>(server: Server<C>, leadership: Leadership, origin: Origin, request: Change): void {
  const problem = checkChanges(request.changes);
  if (problem !== null) {
    refuse(server, origin, "change-invalid", problem);
    return;
  }
  if ((request.mode === "simple" || request.mode === "auto") && !server.settings.simpleChanges) {
    refuse(server, origin, "simple-disabled", "one-step changes are not served");
    return;
  }
  const planned = plan(server, config(server), request);
  if (typeof planned === "string") {
    refuse(server, origin, planned === "already-joint" ? "change-pending" : "change-invalid", explain(planned));
    return;
  }
  const limit = checkConfiguration(planned, server.settings.limits);
  if (limit !== null) {
    refuse(server, origin, limit.reason, limit.detail);
    return;
  }
  const change: PendingChange = { origin, request, phase: "joint", catchUps: [] };
  leadership.change = change;
  const newcomers = newVoters(config(server), planned);
  if (server.settings.catchUpRounds === 0 || newcomers.length === 0) appendConfig(server, planned);
  else enterLearners(server, change, newcomers);
}

function explain(error: ConfigurationError): string {
  switch (error) {
    case "already-joint":
    case "simple-while-joint":
      return "a joint configuration is in force";
    case "no-voters":
      return "there are no voters";
    case "not-joint":
      return "no joint configuration is in force";
    case "removed-all-voters":
      return "no voter would be left";
    case "needs-joint":
      return "more than one vote would change in one step";
  }
}

/** The configuration that a request leads to first. Rows of members alone change no decision and need no second half. */
function plan<C>(server: Server<C>, from: Configuration, request: Change): Configuration | ConfigurationError {
  const { mode, changes } = request;
  const single = mode === "simple" || (mode === "auto" && changes.length <= 1);
  const rowsOnly = changes.every((change) => change.op === "member");
  if (single || rowsOnly) return simpleChange(from, changes);
  if (server.settings.faults.has("single-step-votes")) {
    const joint = enterJoint(from, changes, true);
    if (typeof joint === "string") return joint;
    return finishAtOnce(joint);
  }
  return enterJoint(from, changes, mode !== "joint-explicit");
}

function finishAtOnce(joint: Configuration): Configuration {
  const left = leaveJoint(joint);
  invariant(typeof left !== "string", "a joint configuration can be left");
  return left;
}

/** Voters that had no vote before: they must catch up as learners first (RAFT.md §2 feature 8). */
function newVoters(from: Configuration, to: Configuration): readonly MemberId[] {
  return [...to.voters.keys()].filter((id) => votesOf(from, id) === 0);
}

function enterLearners<C>(server: Server<C>, change: PendingChange, newcomers: readonly MemberId[]): void {
  const current = config(server);
  change.catchUps = newcomers.map((id): CatchUp => ({ id, round: 0, target: logIndex(0), startMs: server.now, done: false }));
  const strangers = newcomers.filter((id) => !isMember(current, id));
  change.phase = strangers.length === 0 ? "catch-up" : "learners";
  if (strangers.length > 0) {
    const asLearners = simpleChange(
      current,
      change.request.changes.flatMap((one) => asLearner(one, strangers)),
    );
    invariant(typeof asLearners !== "string", "learners can always be added");
    appendConfig(server, asLearners);
  } else driveCatchUp(server);
}

function asLearner(change: ConfigChange, strangers: readonly MemberId[]): readonly ConfigChange[] {
  if (change.op !== "voter" || !strangers.includes(change.id)) return [];
  return [{ op: "learner", id: change.id, ...(change.member === undefined ? {} : { member: change.member }) }];
}

/** A new configuration is in force as soon as it is in the log (Raft thesis §4.1). */
function appendConfig<C>(server: Server<C>, next: Configuration): ReturnType<typeof logIndex> {
  const index = logIndex(lastIndex(server.log) + 1);
  appendEntries(server.log, [{ term: server.term, index, kind: "config", configuration: next }]);
  if (server.leadership !== null) server.leadership.uncommittedBytes += sizeAt(server.log, index);
  trackPeers(server);
  return index;
}

/** Rounds of catching up: a round that ends within one election timeout shows that the newcomer keeps pace. */
export function driveCatchUp<C>(server: Server<C>): void {
  const change = server.leadership?.change ?? null;
  if (change === null || change.phase !== "catch-up") return;
  for (const one of change.catchUps) {
    const failure = one.done ? null : driveRound(server, one);
    if (failure !== null) {
      endChange(server, { kind: "refused", reason: "catch-up-failed", detail: failure, leader: server.leader });
      return;
    }
  }
  if (!change.catchUps.every((one) => one.done)) return;
  // The configuration cannot have changed meanwhile: one change at a time.
  const planned = plan(server, config(server), change.request);
  if (typeof planned === "string") {
    endChange(server, { kind: "refused", reason: "change-invalid", detail: explain(planned), leader: server.leader });
    return;
  }
  change.phase = "joint";
  appendConfig(server, planned);
}

function driveRound<C>(server: Server<C>, one: CatchUp): string | null {
  const { timing, catchUpRounds } = server.settings;
  const peer = server.peers.get(one.id);
  if (peer === undefined) return `member ${one.id} left the configuration`;
  if (one.round === 0) beginRound(server, one);
  if (peer.match < one.target || peer.state === "recovering") {
    const heard = Math.max(peer.lastAnswerMs ?? 0, one.startMs);
    return server.now - heard >= SILENT_TIMEOUTS * timing.electionMs ? `member ${one.id} does not answer` : null;
  }
  if (server.now - one.startMs <= timing.electionMs) {
    one.done = true;
    return null;
  }
  if (one.round >= catchUpRounds) return `member ${one.id} did not catch up in ${catchUpRounds} rounds`;
  beginRound(server, one);
  return null;
}

function beginRound<C>(server: Server<C>, one: CatchUp): void {
  one.round += 1;
  one.target = lastIndex(server.log);
  one.startMs = server.now;
}

function endChange<C>(server: Server<C>, outcome: ChangeOutcome): void {
  const { leadership } = server;
  const change = leadership?.change ?? null;
  if (leadership === null || change === null) return;
  leadership.change = null;
  answerChange(server, change.origin, outcome);
}

/** The leader's duties each time its commit index moves. */
export function afterCommit<C>(server: Server<C>): void {
  const { leadership } = server;
  if (leadership === null || !leaderReady(server) || !configCommitted(server)) return;
  const current = config(server);
  const index = configIndex(server.log);
  if (leadership.leave !== null && leadership.leave.index <= server.commit) {
    const { origin } = leadership.leave;
    leadership.leave = null;
    answerChange(server, origin, { kind: "done", index });
  }
  if (leadership.change?.phase === "learners") {
    leadership.change.phase = "catch-up";
    driveCatchUp(server);
    return;
  }
  if (isJoint(current) && current.autoLeave) {
    // Whoever leads ends the joint phase, also one that an earlier leader began (Raft paper §6).
    const next = leaveJoint(current);
    invariant(typeof next !== "string", "a joint configuration can be left");
    appendConfig(server, next);
    return;
  }
  if (leadership.change?.phase === "joint") endChange(server, { kind: "done", index });
  leaveIfRemoved(server);
}

/** A removed leader leads until the configuration without it is committed, then hands over (RAFT.md §2 feature 9). */
function leaveIfRemoved<C>(server: Server<C>): void {
  if (!server.settings.stepDownOnRemoval || votes(server, server.settings.id) > 0) return;
  // The others must learn of this commit from the one who made it.
  if (server.leadership !== null) {
    server.leadership.hintDueMs = server.now;
    flush(server, server.leadership);
  }
  leaveOffice(server);
}
