import type { Invariant } from "../invariant.ts";
import { readsSeeThePast } from "./c1-reads-see-the-past.ts";
import { exactlyOnce } from "./c3-exactly-once.ts";
import { neverTwice } from "./h1-never-twice.ts";
import { fenceBeforeRecovery } from "./h2-fence-before-recovery.ts";
import { committedIntents } from "./h3-committed-intents.ts";
import { nothingAfterDeadline } from "./h4-nothing-after-deadline.ts";
import { noQuorumNoStart } from "./h5-no-quorum-no-start.ts";
import { noQuorumNoFence } from "./h6-no-quorum-no-fence.ts";
import { copiesAndTies } from "./h7-copies-and-ties.ts";
import { noNeedlessFence } from "./h8-no-needless-fence.ts";
import { failuresCountOnce } from "./h9-failures-count-once.ts";
import { oneLeader } from "./s1-one-leader.ts";
import { leaderAppendOnly } from "./s2-leader-append-only.ts";
import { logMatching } from "./s3-log-matching.ts";
import { leaderCompleteness } from "./s4-leader-completeness.ts";
import { sameState } from "./s5-same-state.ts";
import { noWayBack } from "./s6-no-way-back.ts";
import { oneVote } from "./s7-one-vote.ts";
import { ackedIsDurable } from "./s8-acked-is-durable.ts";
import { quorumBehind } from "./s9-quorum-behind.ts";
import { oneChange } from "./s10-one-change.ts";
import { neverCounted } from "./s11-never-counted.ts";
import { snapshotIsReplay } from "./s12-snapshot-is-replay.ts";
import { witnessRunsNothing } from "./w1-witness-runs-nothing.ts";

/** Fresh watchers of every promise, for one run. */
export function allInvariants(): readonly Invariant[] {
  return [
    oneLeader(),
    leaderAppendOnly(),
    logMatching(),
    leaderCompleteness(),
    sameState(),
    noWayBack(),
    oneVote(),
    ackedIsDurable(),
    neverTwice(),
    readsSeeThePast(),
    fenceBeforeRecovery(),
    committedIntents(),
    nothingAfterDeadline(),
    noQuorumNoStart(),
    quorumBehind(),
    oneChange(),
    neverCounted(),
    snapshotIsReplay(),
    exactlyOnce(),
    noQuorumNoFence(),
    copiesAndTies(),
    noNeedlessFence(),
    failuresCountOnce(),
    witnessRunsNothing(),
  ];
}
