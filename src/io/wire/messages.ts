import { type MemberId, unreachable } from "../../core/base/index.ts";
import type { ChangeOutcome, ChangeRequest, ConfigChange, Message, Refusal, VoteReason } from "../../core/raft/index.ts";
import {
  decodeEntry,
  encodeEntry,
  entryIdFromPlain,
  entryIdToPlain,
  idFrom,
  indexFrom,
  MEMBERS_MAX,
  memberFromPlain,
  memberToPlain,
  snapshotFromPlain,
  snapshotToPlain,
  termFrom,
} from "./entries.ts";
import { bytesOf, countOf, type Fields, fieldsOf, flagOf, listOf, Malformed, nullable, numberOf, oneOf, textOf } from "./fields.ts";
import type { CommandCodec, Lane } from "./frame.ts";

/** Entries of one append, and commands of one proposal, at most. */
export const LIST_MAX = 65_536;

const VOTE_REASONS: readonly VoteReason[] = ["log", "voted", "term", "recovering"];
const STATES = ["normal", "recovering", "learner"] as const;
const REFUSALS: readonly Refusal[] = [
  "not-leader",
  "no-leader",
  "busy",
  "too-large",
  "transferring",
  "removed",
  "not-ready",
  "change-pending",
  "change-invalid",
  "change-not-joint",
  "simple-disabled",
  "catch-up-failed",
  "limit-members",
  "limit-voters",
  "lost-leadership",
  "target-unknown",
  "target-behind",
  "timed-out",
  "cancelled",
];
const MODES = ["joint", "joint-explicit", "simple", "auto"] as const;

/** Fields of a message as plain data, `kind`, `term` and `boot` included. */
export function messageToPlain<C>(message: Message<C>, commands: CommandCodec<C>): Record<string, unknown> {
  switch (message.kind) {
    case "append":
      return { ...message, entries: message.entries.map((entry) => encodeEntry(entry, commands)) };
    case "snapChunk":
      return { ...message, snapshot: snapshotToPlain(message.snapshot) };
    case "snapReply":
      return { ...message, last: entryIdToPlain(message.last) };
    case "propose":
      return { ...message, commands: message.commands.map((command) => commands.encode(command)) };
    case "change":
      return { ...message, request: requestToPlain(message.request) };
    case "preVote":
    case "preVoteReply":
    case "vote":
    case "voteReply":
    case "appendReply":
    case "heartbeat":
    case "heartbeatReply":
    case "timeoutNow":
    case "readIndex":
    case "readIndexReply":
    case "proposeReply":
    case "changeReply":
    case "removed":
      return { ...message };
    default:
      return unreachable(message);
  }
}

/** The lane of a message, and whether a full queue must keep it. */
export function laneOf(kind: Message<unknown>["kind"]): { readonly lane: Lane; readonly isVote: boolean } {
  switch (kind) {
    case "preVote":
    case "preVoteReply":
    case "vote":
    case "voteReply":
    case "timeoutNow":
      return { lane: "urgent", isVote: true };
    case "heartbeat":
    case "heartbeatReply":
    case "appendReply":
    case "snapReply":
    case "readIndex":
    case "readIndexReply":
    case "proposeReply":
    case "changeReply":
    case "removed":
      return { lane: "urgent", isVote: false };
    case "append":
    case "propose":
    case "change":
      return { lane: "ordinary", isVote: false };
    case "snapChunk":
      return { lane: "bulk", isVote: false };
    default:
      return unreachable(kind);
  }
}

function requestToPlain(request: ChangeRequest): unknown {
  if (request.kind === "leave") return request;
  const changes = request.changes.map((change) =>
    "member" in change && change.member !== undefined ? { ...change, member: memberToPlain(change.member) } : { ...change },
  );
  return { ...request, changes };
}

function requestFromPlain(value: unknown): ChangeRequest {
  const fields = fieldsOf(value, "request");
  if (fields["kind"] === "leave") return { kind: "leave" };
  if (fields["kind"] !== "change") throw new Malformed("request kind is not known");
  return {
    kind: "change",
    mode: oneOf(fields["mode"], "mode", MODES),
    changes: listOf(fields["changes"], "changes", 2 * MEMBERS_MAX).map(changeFromPlain),
  };
}

function changeFromPlain(value: unknown): ConfigChange {
  const fields = fieldsOf(value, "change");
  const id = idFrom(fields["id"], "change id");
  const member = nullable(fields["member"], memberFromPlain);
  const row = member === null ? {} : { member };
  switch (fields["op"]) {
    case "voter": {
      const witness = nullable(fields["witness"], (flag) => flagOf(flag, "witness"));
      return { op: "voter", id, votes: countOf(fields["votes"], "votes"), ...(witness === null ? {} : { witness }), ...row };
    }
    case "learner":
      return { op: "learner", id, ...row };
    case "remove":
      return { op: "remove", id };
    case "member":
      if (member === null) throw new Malformed("change without a member");
      return { op: "member", id, member };
    default:
      throw new Malformed("change op is not known");
  }
}

const leaderFrom = (value: unknown): MemberId | null => nullable(value, (one) => idFrom(one, "leader"));
const refusalFrom = (value: unknown): Refusal | null => nullable(value, (one) => oneOf(one, "reason", REFUSALS));

function outcomeFromPlain(value: unknown): ChangeOutcome {
  const fields = fieldsOf(value, "outcome");
  if (fields["kind"] === "done") return { kind: "done", index: indexFrom(fields["index"], "outcome index") };
  if (fields["kind"] !== "refused") throw new Malformed("outcome kind is not known");
  return {
    kind: "refused",
    reason: oneOf(fields["reason"], "reason", REFUSALS),
    detail: textOf(fields["detail"], "detail"),
    leader: leaderFrom(fields["leader"]),
  };
}

type Reader = <C>(fields: Fields, commands: CommandCodec<C>) => Message<C>;

const header = (fields: Fields) => ({ term: termFrom(fields["term"], "term"), boot: countOf(fields["boot"], "boot") });
const voteReason = (fields: Fields) => nullable(fields["reason"], (one) => oneOf(one, "reason", VOTE_REASONS));
const answer = (fields: Fields) => ({ context: countOf(fields["context"], "context"), forBoot: countOf(fields["forBoot"], "forBoot") });
const position = (fields: Fields) => ({
  lastIndex: indexFrom(fields["lastIndex"], "lastIndex"),
  lastTerm: termFrom(fields["lastTerm"], "lastTerm"),
  configIndex: indexFrom(fields["configIndex"], "configIndex"),
});

const readAppend: Reader = (fields, commands) => {
  const prevIndex = indexFrom(fields["prevIndex"], "prevIndex");
  return {
    ...header(fields),
    kind: "append",
    prevIndex,
    prevTerm: termFrom(fields["prevTerm"], "prevTerm"),
    commit: indexFrom(fields["commit"], "commit"),
    entries: listOf(fields["entries"], "entries", LIST_MAX).map((bytes, at) =>
      decodeEntry(bytesOf(bytes, "entry"), indexFrom(prevIndex + 1 + at, "entry index"), commands),
    ),
  };
};

const readSnapChunk: Reader = (fields) => {
  const length = countOf(fields["length"], "length");
  const data = nullable(fields["data"], (bytes) => bytesOf(bytes, "data"));
  if (data !== null && data.length !== length) throw new Malformed("chunk has another length than it says");
  const snapshot = snapshotFromPlain(fields["snapshot"]);
  return { ...header(fields), kind: "snapChunk", snapshot, offset: countOf(fields["offset"], "offset"), length, data };
};

/** One reader a kind. A kind without one is unknown and skipped. */
const READERS: ReadonlyMap<string, Reader> = new Map<Message<unknown>["kind"], Reader>([
  ["preVote", (f) => ({ ...header(f), kind: "preVote", forTerm: termFrom(f["forTerm"], "forTerm"), ...position(f) })],
  [
    "preVoteReply",
    (f) => ({
      ...header(f),
      kind: "preVoteReply",
      forTerm: termFrom(f["forTerm"], "forTerm"),
      granted: flagOf(f["granted"], "granted"),
      reason: voteReason(f),
    }),
  ],
  ["vote", (f) => ({ ...header(f), kind: "vote", ...position(f), transfer: flagOf(f["transfer"], "transfer") })],
  ["voteReply", (f) => ({ ...header(f), kind: "voteReply", granted: flagOf(f["granted"], "granted"), reason: voteReason(f) })],
  ["append", readAppend],
  [
    "appendReply",
    (f) => ({
      ...header(f),
      kind: "appendReply",
      ok: flagOf(f["ok"], "ok"),
      match: indexFrom(f["match"], "match"),
      prevIndex: indexFrom(f["prevIndex"], "prevIndex"),
      hintIndex: indexFrom(f["hintIndex"], "hintIndex"),
      hintTerm: termFrom(f["hintTerm"], "hintTerm"),
      storeAgeMs: numberOf(f["storeAgeMs"], "storeAgeMs"),
      state: oneOf(f["state"], "state", STATES),
    }),
  ],
  [
    "heartbeat",
    (f) => ({
      ...header(f),
      kind: "heartbeat",
      commit: indexFrom(f["commit"], "commit"),
      leaderCommit: indexFrom(f["leaderCommit"], "leaderCommit"),
      round: countOf(f["round"], "round"),
      quorumAgeMs: nullable(f["quorumAgeMs"], (age) => numberOf(age, "quorumAgeMs")),
      echoMs: nullable(f["echoMs"], (echo) => numberOf(echo, "echoMs")),
      echoBoot: countOf(f["echoBoot"], "echoBoot"),
    }),
  ],
  [
    "heartbeatReply",
    (f) => ({
      ...header(f),
      kind: "heartbeatReply",
      round: countOf(f["round"], "round"),
      nonceMs: numberOf(f["nonceMs"], "nonceMs"),
      storeAgeMs: numberOf(f["storeAgeMs"], "storeAgeMs"),
      applied: indexFrom(f["applied"], "applied"),
      state: oneOf(f["state"], "state", STATES),
    }),
  ],
  ["snapChunk", readSnapChunk],
  [
    "snapReply",
    (f) => ({
      ...header(f),
      kind: "snapReply",
      last: entryIdFromPlain(f["last"], "last"),
      nextOffset: countOf(f["nextOffset"], "nextOffset"),
      done: flagOf(f["done"], "done"),
      reason: nullable(f["reason"], (one) => oneOf(one, "reason", ["hash", "stale", "busy"] as const)),
    }),
  ],
  ["timeoutNow", (f) => ({ ...header(f), kind: "timeoutNow", lastIndex: indexFrom(f["lastIndex"], "lastIndex") })],
  ["readIndex", (f) => ({ ...header(f), kind: "readIndex", context: countOf(f["context"], "context") })],
  [
    "readIndexReply",
    (f) => ({
      ...header(f),
      kind: "readIndexReply",
      ...answer(f),
      index: indexFrom(f["index"], "index"),
      reason: refusalFrom(f["reason"]),
    }),
  ],
  [
    "propose",
    (f, commands) => ({
      ...header(f),
      kind: "propose",
      context: countOf(f["context"], "context"),
      commands: listOf(f["commands"], "commands", LIST_MAX).map((bytes) => commands.decode(bytesOf(bytes, "command"))),
    }),
  ],
  [
    "proposeReply",
    (f) => ({
      ...header(f),
      kind: "proposeReply",
      ...answer(f),
      first: nullable(f["first"], (one) => entryIdFromPlain(one, "first")),
      reason: refusalFrom(f["reason"]),
      leader: leaderFrom(f["leader"]),
    }),
  ],
  ["change", (f) => ({ ...header(f), kind: "change", context: countOf(f["context"], "context"), request: requestFromPlain(f["request"]) })],
  ["changeReply", (f) => ({ ...header(f), kind: "changeReply", ...answer(f), outcome: outcomeFromPlain(f["outcome"]) })],
  ["removed", (f) => ({ ...header(f), kind: "removed", configIndex: indexFrom(f["configIndex"], "configIndex") })],
]);

/** Reads a message; null for a kind that this version does not know. Throws `Malformed` or `EntryUndecodable`. */
export function messageFromPlain<C>(fields: Fields, commands: CommandCodec<C>): Message<C> | null {
  const reader = READERS.get(textOf(fields["kind"], "kind", 64));
  return reader === undefined ? null : reader(fields, commands);
}
