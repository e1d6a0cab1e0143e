import { type LogIndex, logIndex } from "../base/index.ts";
import { entryAt, lastId, lastIndex, sizeAt } from "./log.ts";
import { driveReads, releaseReads } from "./reads.ts";
import { flush, mayFlush } from "./replication.ts";
import { emptyOutbox, type Outbox, type Server } from "./state.ts";
import type { Entry, HardState, Ready, SoftState, WriteTicket } from "./types.ts";

/** Takes everything that the host owes by now; see `Ready` for the order of duties. */
export function takeReady<C>(server: Server<C>): Ready<C> {
  if (server.leadership !== null) {
    driveReads(server, server.leadership);
    flush(server, server.leadership);
  }
  releaseReads(server);
  const commit = takeCommitted(server);
  const { log, out } = server;
  server.out = emptyOutbox();
  const entries = log.entries.slice(log.writeFrom - log.mark.index - 1);
  log.writeFrom = logIndex(lastIndex(log) + 1);
  const write = takeTicket(server, out, entries.length);
  return {
    ticket: write,
    hard: write?.hard ?? null,
    entries,
    snapshot: out.snapshot === null ? null : { meta: out.snapshot, keepSuffix: false },
    sendNow: out.sendNow,
    sendAfter: out.sendAfter,
    commit,
    reads: out.reads,
    answers: out.answers,
    chunks: out.chunks,
    verify: out.verify,
    compactTo: out.compactTo,
    recovered: out.recovered,
    soft: takeSoft(server),
  };
}

/**
 * Names the write, if there is one. Hard state goes with every real write (the commit index rides along), a new commit
 * index alone is worth no sync. A promise without a write of its own gets a ticket while earlier writes are unfinished,
 * because it may promise what they hold.
 */
function takeTicket<C>(server: Server<C>, out: Outbox<C>, entryCount: number): WriteTicket | null {
  const writes = server.hardDirty || entryCount > 0 || out.snapshot !== null || out.recovered;
  const waits = out.sendAfter.length > 0 && server.tickets.length > 0;
  if (!writes && !waits) return null;
  const forgets = server.settings.faults.has("vote-not-persisted") && server.vote !== server.settings.id;
  const hard: HardState | null = writes ? { term: server.term, vote: forgets ? null : server.vote, commit: server.commit } : null;
  server.hardDirty = false;
  const sequence = server.nextSequence;
  server.nextSequence += 1;
  server.tickets.push({ sequence, handedMs: server.now });
  return { sequence, askedInTerm: server.term, last: lastId(server.log), hard, snapshot: out.snapshot?.last ?? null };
}

/** Committed entries that were not handed out yet, as far as the state machine keeps up (RAFT.md §6, limits). */
function takeCommitted<C>(server: Server<C>): readonly Entry<C>[] {
  if (server.applyFloor > server.applied) return [];
  const { log, settings } = server;
  const end: LogIndex = settings.applyUnstored ? server.commit : logIndex(Math.min(server.commit, log.stored));
  const taken: Entry<C>[] = [];
  while (server.handedOut < end && server.unappliedBytes < settings.limits.unappliedBytes) {
    const index = logIndex(server.handedOut + 1);
    taken.push(entryAt(log, index));
    server.unappliedBytes += sizeAt(log, index);
    server.handedOut = index;
  }
  return taken;
}

function takeSoft<C>(server: Server<C>): SoftState | null {
  const soft: SoftState = { role: server.role, leader: server.leader, term: server.term, recovering: server.recovering };
  const last = server.softLast;
  if (
    last !== null &&
    last.role === soft.role &&
    last.leader === soft.leader &&
    last.term === soft.term &&
    last.recovering === soft.recovering
  ) {
    return null;
  }
  server.softLast = soft;
  return soft;
}

/** True if `takeReady` would hand out something. May say true once too often, never false wrongly. */
export function owesReady<C>(server: Server<C>): boolean {
  const { out, log, leadership, softLast } = server;
  if (server.hardDirty || log.writeFrom <= lastIndex(log)) return true;
  if (leadership !== null && (leadership.reads.length > 0 || mayFlush(server, leadership))) return true;
  if (server.handedOut < server.commit || server.confirmedReads.length > 0) return true;
  if (softLast === null || softLast.role !== server.role || softLast.leader !== server.leader) return true;
  if (softLast.term !== server.term || softLast.recovering !== server.recovering) return true;
  return (
    out.sendNow.length > 0 ||
    out.sendAfter.length > 0 ||
    out.reads.length > 0 ||
    out.answers.length > 0 ||
    out.chunks.length > 0 ||
    out.verify !== null ||
    out.snapshot !== null ||
    out.compactTo !== null ||
    out.recovered
  );
}
