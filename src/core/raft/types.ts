import type { Incarnation, LogIndex, MemberId, Term } from "../base/index.ts";

/** Position of an entry (Raft paper, figure 2). */
export type EntryId = { readonly term: Term; readonly index: LogIndex };

/** A member's row in the configuration. */
export type Member = { readonly name: string; readonly addresses: readonly string[]; readonly incarnation: Incarnation | null };

/** The replicated configuration (RAFT.md §9). Votes are data; `outgoing` is empty outside a joint change. */
export type Configuration = {
  readonly voters: ReadonlyMap<MemberId, number>;
  readonly outgoing: ReadonlyMap<MemberId, number>;
  readonly learners: ReadonlySet<MemberId>;
  readonly learnersNext: ReadonlySet<MemberId>;
  readonly witnesses: ReadonlySet<MemberId>;
  readonly autoLeave: boolean;
  readonly members: ReadonlyMap<MemberId, Member>;
};

export type Entry<C> = EntryId &
  (
    | { readonly kind: "empty" }
    | { readonly kind: "data"; readonly data: C }
    | { readonly kind: "config"; readonly configuration: Configuration }
  );

/** What survives a restart beside the log (Raft paper, figure 2; RAFT.md §6 key `h`). `vote` null: none in this term. */
export type HardState = { readonly term: Term; readonly vote: MemberId | null; readonly commit: LogIndex };

/** A snapshot as the core knows it; its bytes are the host's (RAFT.md §5). */
export type SnapshotMeta = {
  readonly last: EntryId;
  readonly configuration: Configuration;
  readonly sizeBytes: number;
  readonly hash: string;
};
