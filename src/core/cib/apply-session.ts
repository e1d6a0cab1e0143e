import type { LogIndex } from "../base/index.ts";
import { PersistentMap } from "../base/index.ts";
import type { Applied } from "./apply.ts";
import type { ProposalOrigin } from "./commands.ts";
import { accepted, type Change } from "./outcome.ts";
import { type CibState, type CommandResult, SESSION_IDLE_MAX_MS, SESSION_WINDOW, SESSIONS_MAX, type Session } from "./state.ts";

/** Opens a session; its client id is the index of this very entry (RAFT.md §2 feature 18). */
export function openSession(state: CibState, index: LogIndex): Change {
  let sessions = state.sessions;
  if (sessions.size >= SESSIONS_MAX) {
    let oldest: Session | null = null;
    for (const session of sessions.values()) if (oldest === null || session.lastUsedMs < oldest.lastUsedMs) oldest = session;
    if (oldest !== null) sessions = sessions.delete(String(oldest.client));
  }
  const session: Session = { client: index, lastUsedMs: state.clockMs, replies: PersistentMap.empty() };
  return accepted({ ...state, sessions: sessions.set(String(index), session) }, { voidsPlans: false, value: index });
}

/** Closes sessions by log order and the leader's time alone, so that every node closes the same ones. */
export function closeIdleSessions(state: CibState): CibState {
  if (state.sessions.size === 0) return state;
  let sessions = state.sessions;
  for (const session of state.sessions.values()) {
    if (state.clockMs - session.lastUsedMs > SESSION_IDLE_MAX_MS) sessions = sessions.delete(String(session.client));
  }
  return sessions === state.sessions ? state : { ...state, sessions };
}

/** Runs the command unless this session has run it; a repeated one gets the answer of the first time. */
export function applySession(state: CibState, index: LogIndex, origin: ProposalOrigin, run: () => Applied): Applied {
  const session = state.sessions.get(String(origin.client));
  if (session === undefined) return { state, result: expired(index, `session ${origin.client} is unknown or has expired`) };
  const known = session.replies.get(replyKey(origin.sequence));
  if (known !== undefined) return { state: touched(state, session), result: known };
  const oldest = firstKey(session.replies);
  if (oldest !== null && session.replies.size >= SESSION_WINDOW && replyKey(origin.sequence) < oldest) {
    return { state, result: expired(index, `the answer to command ${origin.sequence} of session ${origin.client} is no longer kept`) };
  }
  const applied = run();
  let replies = session.replies.set(replyKey(origin.sequence), applied.result);
  while (replies.size > SESSION_WINDOW) {
    const first = firstKey(replies);
    if (first === null) break;
    replies = replies.delete(first);
  }
  return { state: touched(applied.state, { ...session, replies }), result: applied.result };
}

/** What the session answered to that command, or null: not run (as far as this state goes), or no longer kept. */
export function replyTo(state: CibState, origin: ProposalOrigin): CommandResult | null {
  return state.sessions.get(String(origin.client))?.replies.get(replyKey(origin.sequence)) ?? null;
}

function touched(state: CibState, session: Session): CibState {
  return { ...state, sessions: state.sessions.set(String(session.client), { ...session, lastUsedMs: state.clockMs }) };
}

function expired(index: LogIndex, message: string): CommandResult {
  return { ok: false, index, code: "SESSION_EXPIRED", message };
}

/** Keys sort as text, so numbers are padded to the length of the largest safe integer. */
function replyKey(sequence: number): string {
  return String(sequence).padStart(16, "0");
}

function firstKey(map: PersistentMap<unknown>): string | null {
  for (const key of map.keys()) return key;
  return null;
}
