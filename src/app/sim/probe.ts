import type { MemberId } from "../../core/base/index.ts";
import { type CreateRaft, createRaft, type Message, type RaftCore, type RaftOptions, type Ready } from "../../core/raft/index.ts";

/** What the world hears of a core: the production core itself is left as it is. */
export type ProbeEvents = {
  /** The core takes a message in. */
  onMessage(from: MemberId, message: Message<unknown>): void;
  /** The core was fed or asked: what it shows may have changed. */
  onTouched(): void;
  /** It is asked for a read. */
  onReadAsked(context: number): void;
  /** It handed out a batch; `owesWrite`: promises of the shell will follow. */
  onReady(ready: Ready<unknown>, owesWrite: boolean): void;
};

/** What a world chooses for its cores beyond what the daemon sets. */
export type CoreChoice = Pick<RaftOptions<never>, "leaseReads" | "limits" | "seededFaults">;

/** `createRaft` for the node under test, with a listener around it and the world's choices inside. */
export function probedRaft(choice: CoreChoice, events: ProbeEvents): CreateRaft {
  return <C>(options: RaftOptions<C>): RaftCore<C> => {
    const core = createRaft<C>({ ...options, ...choice });
    return {
      step: (input) => {
        // Heartbeats are most of what arrives, and what they change comes out of `ready`.
        if (input.kind !== "message") events.onTouched();
        else events.onMessage(input.from, input.message);
        if (input.kind === "readIndex") events.onReadAsked(input.context);
        core.step(input);
      },
      ready: () => {
        const ready = core.ready();
        const owesWrite = ready.ticket !== null || ready.sendAfter.length > 0 || ready.chunks.length > 0;
        if (owesWrite || ready.soft !== null || ready.commit.length > 0) events.onTouched();
        events.onReady(ready as Ready<unknown>, owesWrite);
        return ready;
      },
      hasReady: () => core.hasReady(),
      nextWakeMs: () => core.nextWakeMs(),
      status: () => core.status(),
      term: () => core.term(),
      configurationAt: (index) => core.configurationAt(index),
      entryId: (index) => core.entryId(index),
      entriesFrom: (from, to) => core.entriesFrom(from, to),
    };
  };
}
