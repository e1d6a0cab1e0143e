import { type LogIndex, logIndex, unreachable } from "../base/index.ts";
import { applyAttributes, applyFailCount, applyHistoryDelete } from "./apply-attributes.ts";
import {
  applyAttempt,
  applyFenced,
  applyFencingFailed,
  applyFencingRequest,
  applyFencingResult,
  applyFencingWithdraw,
} from "./apply-fencing.ts";
import { applyIntents, applyResults } from "./apply-intents.ts";
import {
  applyCovers,
  applyDetach,
  applyForget,
  applyHello,
  applyJoin,
  applyLeave,
  applyLost,
  applyVotes,
  findMember,
} from "./apply-node.ts";
import { applySession, closeIdleSessions, openSession } from "./apply-session.ts";
import { applyToken, useToken } from "./apply-token.ts";
import { applyUploadCommit, applyUploadDrop, applyUploadPart, dropIdleUploads } from "./apply-upload.ts";
import { type Command, FEATURE_LEVEL_MAX, type Proposal } from "./commands.ts";
import type { ConfigurationEdit } from "./edit.ts";
import { dropCoverage } from "./kept.ts";
import { accepted, type Change, refused, withNode } from "./outcome.ts";
import { applyEdits, EDITS_MAX, EDITS_STAGED_MAX } from "./sections.ts";
import { type CibState, type CommandResult, dated } from "./state.ts";

export type Applied = { readonly state: CibState; readonly result: CommandResult };

/**
 * Applies the committed entry at `index`. Total and deterministic: whatever the command, equal states give equal
 * states, and a command that does not fit is refused by value and changes nothing but the clock and its session.
 */
export function apply(state: CibState, index: LogIndex, proposal: Proposal): Applied {
  const clocked = advance(state, index, proposal.atMs);
  const origin = proposal.origin;
  if (origin === null) return finish(clocked, index, reduce(clocked, index, proposal.command));
  return applySession(clocked, index, origin, () => finish(clocked, index, reduce(clocked, index, proposal.command)));
}

/** The entry without a command (a new leader's first one, or a configuration): only the index moves. */
export function applyEmpty(state: CibState, index: LogIndex): CibState {
  const { clockMs, changedAt, voidedAt } = state;
  return dated(state, { index, clockMs, changedAt, voidedAt });
}

function advance(state: CibState, index: LogIndex, atMs: number): CibState {
  const clockMs = Number.isFinite(atMs) ? Math.max(state.clockMs, Math.floor(atMs)) : state.clockMs;
  const { changedAt, voidedAt } = state;
  return dropIdleUploads(closeIdleSessions(dated(state, { index, clockMs, changedAt, voidedAt })));
}

function finish(before: CibState, index: LogIndex, change: Change): Applied {
  if (change.kind === "refused") {
    return { state: before, result: { ok: false, index, code: change.code, message: change.message } };
  }
  const { clockMs, changedAt, voidedAt } = change.state;
  const dates = { index, clockMs, changedAt: change.datesPlans ? index : changedAt, voidedAt: change.voidsPlans ? index : voidedAt };
  const state = dated(change.state, dates);
  return { state, result: { ok: true, index, epoch: state.epoch, value: change.value } };
}

function reduce(state: CibState, index: LogIndex, command: Command): Change {
  switch (command.kind) {
    case "cluster.create":
      return createCluster(state, command);
    case "session.open":
      return openSession(state, index);
    case "session.close":
      return accepted({ ...state, sessions: state.sessions.delete(String(command.client)) }, { voidsPlans: false });
    case "session.refuse":
      return refused(command.code, command.message);
    case "config.edit":
      return editConfiguration(state, command.edits, { editsMax: EDITS_MAX, ifEpoch: command.ifEpoch });
    case "upload.part":
      return applyUploadPart(state, command);
    case "upload.commit":
      return applyUploadCommit(state, command, (edits) =>
        editConfiguration(state, edits, { editsMax: EDITS_STAGED_MAX, ifEpoch: command.ifEpoch }),
      );
    case "upload.drop":
      return applyUploadDrop(state, command.upload);
    case "node.join":
      return applyJoin(state, command);
    case "node.forget":
      return applyForget(state, command);
    case "node.hello":
      return applyHello(state, command);
    case "node.lost":
      return applyLost(state, command);
    case "node.detach":
      return applyDetach(state, command);
    case "node.leave":
      return applyLeave(state, command);
    case "attribute.set":
      return applyAttributes(state, command);
    case "intents.commit":
      return applyIntents(state, index, command);
    case "results.record":
      return applyResults(state, command);
    case "node.votes":
      return applyVotes(state, command);
    case "cluster.forced":
      return noteForced(state, command);
    case "node.covers":
      return applyCovers(state, command);
    case "history.delete":
      return applyHistoryDelete(state, command.selection);
    case "failcount.set":
      return applyFailCount(state, command);
    case "fencing.request":
      return applyFencingRequest(state, index, command);
    case "fencing.attempt":
      return applyAttempt(state, index, command);
    case "fencing.result":
      return applyFencingResult(state, command);
    case "fencing.failed":
      return applyFencingFailed(state, command);
    case "fencing.withdraw":
      return applyFencingWithdraw(state, command);
    case "node.fenced":
      return applyFenced(state, command);
    case "token.put":
      return applyToken(state, command);
    case "token.use":
      return useToken(state, command);
    case "transition.done":
      return settle(state, command);
    case "policy.failed":
      return failPolicy(state, command);
    case "feature.raise":
      return raiseFeatureLevel(state, command.level);
    default:
      return unreachable(command);
  }
}

function createCluster(state: CibState, command: Extract<Command, { kind: "cluster.create" }>): Change {
  if (state.cluster !== null) return refused("CLUSTER_EXISTS", `this log belongs to cluster ${state.cluster.name} already`);
  const named: CibState = { ...state, cluster: { id: command.clusterId, name: command.name } };
  return applyJoin(named, { kind: "node.join", node: command.node, memberId: command.memberId });
}

/** Recorded in the log as such, so that everybody can see it afterwards. Whoever is the cluster votes, whatever was wished before. */
function noteForced(state: CibState, { memberId }: Extract<Command, { kind: "cluster.forced" }>): Change {
  if (state.cluster === null) return refused("CLUSTER_MISSING", "this log belongs to no cluster yet");
  const forced: CibState = { ...state, cluster: { ...state.cluster, forcedAtMs: state.clockMs } };
  const node = findMember(state, memberId);
  return accepted(node?.votesWanted === 0 ? withNode(forced, { ...node, votesWanted: 1 }) : forced, { voidsPlans: true });
}

type EditTerms = { readonly editsMax: number; readonly ifEpoch: number | undefined };

function editConfiguration(state: CibState, edits: readonly ConfigurationEdit[], { editsMax, ifEpoch }: EditTerms): Change {
  if (ifEpoch !== undefined && ifEpoch !== state.epoch) {
    return refused("PLAN_STALE", `the configuration is of epoch ${state.epoch} now, no longer ${ifEpoch}`);
  }
  const outcome = applyEdits(state.sections, edits, editsMax);
  if ("refusal" in outcome) return refused(outcome.refusal.code, outcome.refusal.message);
  const edited: CibState = { ...state, sections: outcome.sections, epoch: state.epoch + 1, policyFailure: null };
  return accepted(dropCoverage(edited), { voidsPlans: true });
}

function settle(state: CibState, command: Extract<Command, { kind: "transition.done" }>): Change {
  if (command.basedOn < state.changedAt) return refused("PLAN_STALE", "the state has changed since");
  const { basedOn, transition, recheckAtMs } = command;
  const settled = { basedOn, transition, recheckAtMs };
  return accepted({ ...state, settled, transition: Math.max(state.transition, transition) }, { voidsPlans: false });
}

function failPolicy(state: CibState, command: Extract<Command, { kind: "policy.failed" }>): Change {
  if (command.basedOn < state.changedAt) return refused("PLAN_STALE", "the state has changed since the policy engine failed");
  const policyFailure = { code: command.code, message: command.message, basedOn: command.basedOn, atMs: state.clockMs };
  return accepted({ ...state, policyFailure }, { voidsPlans: false });
}

function raiseFeatureLevel(state: CibState, level: number): Change {
  if (level > FEATURE_LEVEL_MAX) return refused("FEATURE_LEVEL", `this build knows feature levels up to ${FEATURE_LEVEL_MAX}`);
  if (level <= state.featureLevel) return refused("FEATURE_LEVEL", `the cluster is at feature level ${state.featureLevel} already`);
  for (const node of state.nodes.values()) {
    if (node.featureLevelMax < level) {
      return refused("FEATURE_LEVEL", `node ${node.name} knows feature levels up to ${node.featureLevelMax}`);
    }
  }
  return accepted({ ...state, featureLevel: level }, { voidsPlans: false });
}

/** The index before the first entry. */
export const NO_INDEX: LogIndex = logIndex(0);
