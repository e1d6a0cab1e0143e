import type { Command } from "./commands.ts";
import { accepted, type Change, refused } from "./outcome.ts";
import { type CibState, TOKENS_MAX } from "./state.ts";

export function applyToken(state: CibState, command: Extract<Command, { kind: "token.put" }>): Change {
  let tokens = state.tokens;
  for (const token of tokens.values()) if (token.expiresMs <= state.clockMs) tokens = tokens.delete(token.hash);
  if (tokens.size >= TOKENS_MAX) return refused("LIMIT_EXCEEDED", `at most ${TOKENS_MAX} join tokens at once`);
  const token = { hash: command.hash, expiresMs: command.expiresMs, usedBy: null };
  return accepted({ ...state, tokens: tokens.set(command.hash, token) }, { voidsPlans: false });
}

/** One use, by log order: of two joins with one token exactly one succeeds, whichever members they asked. */
export function useToken(state: CibState, command: Extract<Command, { kind: "token.use" }>): Change {
  const token = state.tokens.get(command.hash);
  if (token === undefined) return refused("TOKEN_UNKNOWN", "the cluster does not know this join token");
  if (token.expiresMs <= state.clockMs) return refused("TOKEN_EXPIRED", "the join token has expired");
  if (token.usedBy !== null && token.usedBy !== command.memberId) return refused("TOKEN_USED", "the join token was used before");
  const used = { ...token, usedBy: command.memberId };
  return accepted({ ...state, tokens: state.tokens.set(command.hash, used) }, { voidsPlans: false });
}
