import type { MemberId } from "../../core/base/index.ts";
import type { CibState, Command, CommandResult, Proposal } from "../../core/cib/index.ts";
import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";
import type { Message, ReadOutcome, SnapshotMeta } from "../../core/raft/index.ts";
import type { StoreWrite } from "../../io/storage/index.ts";
import type { Restart, VirtualHost } from "./host.ts";
import type { World } from "./world.ts";

/** A committed command as the world's own replica applied it. `ok` false: refused by value, so it changed nothing. */
export type AppliedCommand = {
  readonly index: number;
  readonly command: Command;
  readonly ok: boolean;
  readonly origin: Proposal["origin"];
  readonly result: CommandResult;
  /** The state before it; `world.replica` is the state after it. */
  readonly before: CibState;
};

export type SpawnFacts = {
  readonly key: string;
  readonly resource: string;
  readonly operation: string;
  readonly agentClass: string;
  /** Whom a fence action is about. */
  readonly target: string | null;
  readonly origin: { readonly incarnation: string; readonly term: number; readonly index: number } | null;
};

/** One promise of RAFT.md §10, with what it needs to hear. A broken one throws through `world.violated`. */
export type Invariant = {
  readonly id: string;
  readonly rule: string;
  readonly onSend?: (world: World, from: VirtualHost, to: MemberId, message: Message<Proposal>) => void;
  /** The daemon of `host` takes a message in. */
  readonly onDeliver?: (world: World, host: VirtualHost, from: MemberId, message: Message<Proposal>) => void;
  /** A write is handed to the disk; and it is durable. */
  readonly onSave?: (world: World, host: VirtualHost, write: StoreWrite<Proposal>) => void;
  readonly onStored?: (world: World, host: VirtualHost, write: StoreWrite<Proposal>) => void;
  readonly onSnapshot?: (world: World, host: VirtualHost, meta: SnapshotMeta, bytes: Uint8Array) => void;
  readonly onRestored?: (world: World, host: VirtualHost, facts: Restart) => void;
  readonly onApplied?: (world: World, applied: AppliedCommand) => void;
  readonly onSpawn?: (world: World, host: VirtualHost, facts: SpawnFacts) => void;
  /** The core is asked for a read; and it has answered one. */
  readonly onReadAsked?: (world: World, host: VirtualHost, context: number) => void;
  readonly onRead?: (world: World, host: VirtualHost, read: ReadOutcome) => void;
  /** An agent's action has ended. */
  readonly onEnd?: (world: World, host: VirtualHost, key: string, action: AgentAction, outcome: AgentOutcome) => void;
  readonly onService?: (world: World, host: VirtualHost, resource: string, active: boolean) => void;
  readonly onPromoted?: (world: World, host: VirtualHost, resource: string, promoted: boolean) => void;
  /** After every event of the virtual world in which cores took part; `touched` = their hosts. */
  readonly after?: (world: World, touched: ReadonlySet<VirtualHost>) => void;
  /** After every event of the virtual world, whatever it was. */
  readonly afterAll?: (world: World) => void;
  /** Once, when everything has healed and settled. */
  readonly atEnd?: (world: World) => void;
};

export class Violation extends Error {
  override readonly name = "Violation";
  readonly id: string;
  constructor(id: string, message: string) {
    super(`${id}: ${message}`);
    this.id = id;
  }
}
