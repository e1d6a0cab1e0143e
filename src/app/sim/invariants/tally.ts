import type { Proposal } from "../../../core/cib/index.ts";
import type { Configuration, Message } from "../../../core/raft/index.ts";
import type { StoreWrite } from "../../../io/storage/index.ts";

/**
 * Do these members hold more than half of the votes of each half? Said a second time, and as plainly as can be, on
 * purpose: the watchers must not borrow the arithmetic of the core that they watch.
 */
export function isQuorum({ voters, outgoing }: Pick<Configuration, "voters" | "outgoing">, members: ReadonlySet<number>): boolean {
  return [voters, outgoing].every((half) => {
    let total = 0;
    let held = 0;
    for (const [member, votes] of half) {
      total += votes;
      if (members.has(member)) held += votes;
    }
    return half.size === 0 || 2 * held > total;
  });
}

type Ack = { readonly match: number; readonly boot: number };

function raise(rows: Map<string, Map<number, Ack>>, key: string, member: number, ack: Ack): void {
  const row = rows.get(key) ?? new Map<number, Ack>();
  if (ack.match > (row.get(member)?.match ?? 0)) row.set(member, ack);
  rows.set(key, row);
}

/** Who has told which leader that it holds what durably, and what each member's own disk has confirmed. */
export class Acknowledgements {
  readonly #acked = new Map<string, Map<number, Ack>>();
  /** Said while the member was recovering: worth nothing until it has told that it is whole. */
  readonly #pending = new Map<string, Map<number, Ack>>();
  readonly #durable = new Map<number, number>();

  said(from: number, to: number, message: Message<Proposal>, recovering = false): void {
    const ok = message.kind === "appendReply" && message.ok;
    const match = ok ? message.match : message.kind === "snapReply" && message.done ? message.last.index : 0;
    if (match === 0) return;
    const { term, boot } = message;
    if (recovering) raise(this.#pending, `${to}/${term}/${boot}`, from, { match, boot });
    else raise(this.#acked, `${to}/${term}`, from, { match, boot });
  }

  /** What this member said to a leader in an earlier start counts no more: its log was damaged since. */
  forget(from: number, to: number, term: number, boot: number): void {
    const row = this.#acked.get(`${to}/${term}`);
    const known = row?.get(from);
    if (known !== undefined && known.boot < boot) row?.delete(from);
  }

  /** The leader hears that the member is whole: what it acknowledged in this start, after the damage, counts with it. */
  whole(from: number, to: number, term: number, boot: number): void {
    const ack = this.#pending.get(`${to}/${term}/${boot}`)?.get(from);
    if (ack !== undefined) raise(this.#acked, `${to}/${term}`, from, ack);
  }

  stored(member: number, { entries, snapshot }: StoreWrite<Proposal>): void {
    const last = entries.at(-1)?.index ?? snapshot?.meta.last.index;
    if (last !== undefined) this.#durable.set(member, last);
  }

  restored(member: number, last: number): void {
    this.#durable.set(member, last);
  }

  /** Members that a leader may count for an entry: those that acknowledged it to it in this term, and itself. */
  holders(leader: number, term: number, index: number): ReadonlySet<number> {
    const members = new Set<number>();
    for (const [member, { match }] of this.#acked.get(`${leader}/${term}`) ?? []) if (match >= index) members.add(member);
    if ((this.#durable.get(leader) ?? 0) >= index) members.add(leader);
    return members;
  }
}
