import type { Ready } from "./types.ts";

/**
 * Joins two batches that were handed out one after the other into one write, for group commit (RAFT.md §2 feature 14):
 * while one write is under way the host gathers what follows. Returns null if they must stay apart because one of
 * them installs a snapshot. Promises of an older term are dropped (their sender has given up; Raft repairs loss), since
 * the merged write no longer holds what they promised if the later batch truncated it.
 */
export function mergeReady<C>(first: Ready<C>, second: Ready<C>): Ready<C> | null {
  if (first.snapshot !== null || second.snapshot !== null) return null;
  if (first.verify !== null && second.verify !== null) return null;
  const from = second.entries[0]?.index;
  const kept = from === undefined ? first.entries : first.entries.filter((entry) => entry.index < from);
  const hard = second.hard ?? first.hard;
  const ticket = second.ticket ?? first.ticket;
  const termNow = ticket?.askedInTerm ?? 0;
  return {
    ticket: ticket === null ? null : { ...ticket, hard },
    hard,
    entries: second.entries.length === 0 ? kept : [...kept, ...second.entries],
    snapshot: null,
    sendNow: [...first.sendNow, ...second.sendNow],
    sendAfter: [...first.sendAfter.filter((envelope) => envelope.message.term >= termNow), ...second.sendAfter],
    commit: [...first.commit, ...second.commit],
    reads: [...first.reads, ...second.reads],
    answers: [...first.answers, ...second.answers],
    chunks: [...first.chunks, ...second.chunks],
    verify: second.verify ?? first.verify,
    compactTo: second.compactTo ?? first.compactTo,
    recovered: first.recovered || second.recovered,
    soft: second.soft ?? first.soft,
  };
}
