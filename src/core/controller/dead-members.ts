import { type MemberId, memberId } from "../base/index.ts";
import { type NodeStatus, propertyOf } from "../cib/index.ts";
import { durationMs } from "./drafts.ts";
import { type Host, stampMs } from "./host.ts";

/** What the operators ask for: after how long, and how many voting members must stay. Null: nothing is removed. */
function wishOf(host: Host): { readonly afterMs: number; readonly size: number } | null {
  const afterMs = durationMs(propertyOf(host.state, "dead-member-timeout"));
  const size = Number(propertyOf(host.state, "cluster-size"));
  return afterMs !== null && afterMs > 0 && Number.isSafeInteger(size) && size > 0 ? { afterMs, size } : null;
}

/**
 * A member that the leader should take out now: its host is proven down (a witness: silent, there is nothing to prove) for
 * `dead-member-timeout`, and at least `cluster-size` voting members stay. Null unless both properties are set.
 */
export function deadMember(host: Host): NodeStatus | null {
  const wish = wishOf(host);
  if (wish === null) return null;
  const { state, raftStatus, nowMs, options } = host;
  const { voters } = raftStatus.configuration;
  for (const node of state.nodes.values()) {
    if (node.memberId === null || node.memberId === options.memberId || !isDown(node)) continue;
    const staying = [...voters].filter(([id, votes]) => id !== node.memberId && votes > 0).length;
    const isMember = raftStatus.configuration.members.has(memberId(node.memberId));
    if (!isMember || staying < wish.size || stampMs(host) - node.sinceMs < wish.afterMs) continue;
    // The clock of the cluster says how long; this leader's own ears must agree, also after a jump of that clock.
    const heardMs = heardAt(host, memberId(node.memberId));
    if (heardMs === null || nowMs - heardMs < Math.min(wish.afterMs, HEARD_MAX_MS)) continue;
    return node;
  }
  return null;
}

/** A leader waits itself for at most this long before it believes that a member is silent for longer; milliseconds. */
const HEARD_MAX_MS = 60_000;

function isDown(node: NodeStatus): boolean {
  return node.membership === "fenced" || (node.witness === true && node.membership === "lost");
}

function heardAt(host: Host, member: MemberId): number | null {
  const { peers, leaderSinceMs } = host.raftStatus;
  const heardMs = peers.get(member)?.lastHeardMs ?? null;
  return heardMs === null ? leaderSinceMs : Math.max(heardMs, leaderSinceMs ?? heardMs);
}

/** Zero in any unit. */
const NEVER = /^\s*0+[a-z]*\s*$/i;

/** For status: only one of the two properties does nothing. */
export function deadMemberWarning(host: Host): string | null {
  const asked = propertyOf(host.state, "dead-member-timeout");
  if (asked === undefined || NEVER.test(asked) || wishOf(host) !== null) return null;
  return "dead-member-timeout removes nobody: it needs a duration, and cluster-size, the voting members that must stay";
}
