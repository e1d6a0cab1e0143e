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

/** Who has told which leader that it holds what durably, and what each member's own disk has confirmed. */
export class Acknowledgements {
  readonly #acked = new Map<string, Map<number, Ack>>();
  readonly #durable = new Map<number, number>();

  said(from: number, to: number, message: Message<Proposal>): void {
    const ok = message.kind === "appendReply" && message.ok;
    const match = ok ? message.match : message.kind === "snapReply" && message.done ? message.last.index : 0;
    if (match === 0) return;
    const key = `${to}/${message.term}`;
    const row = this.#acked.get(key) ?? new Map<number, Ack>();
    if (match > (row.get(from)?.match ?? 0)) row.set(from, { match, boot: message.boot });
    this.#acked.set(key, row);
  }

  /** What this member said to a leader in an earlier start counts no more: its log was damaged since. */
  forget(from: number, to: number, term: number, boot: number): void {
    const row = this.#acked.get(`${to}/${term}`);
    const known = row?.get(from);
    if (known !== undefined && known.boot < boot) row?.delete(from);
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
