import type { MemberId } from "../../core/base/index.ts";
import type { Command, Proposal } from "../../core/cib/index.ts";
import type { Message } from "../../core/raft/index.ts";
import type { StoreWrite } from "../../io/storage/index.ts";
import type { Restart, VirtualHost } from "./host.ts";
import type { World } from "./world.ts";

/** A committed command as the world's own replica applied it. `ok` false: refused by value, so it changed nothing. */
export type AppliedCommand = { readonly index: number; readonly command: Command; readonly ok: boolean };

export type SpawnFacts = {
  readonly key: string;
  readonly resource: string;
  readonly operation: string;
  readonly agentClass: string;
  readonly origin: { readonly incarnation: string; readonly term: number; readonly index: number } | null;
};

/** One promise of RAFT.md §10, with what it needs to hear. A broken one throws through `world.violated`. */
export type Invariant = {
  readonly id: string;
  readonly rule: string;
  readonly onSend?: (world: World, from: VirtualHost, to: MemberId, message: Message<Proposal>) => void;
  readonly onSave?: (world: World, host: VirtualHost, write: StoreWrite<Proposal>) => void;
  readonly onRestored?: (world: World, host: VirtualHost, facts: Restart) => void;
  readonly onApplied?: (world: World, applied: AppliedCommand) => void;
  readonly onSpawn?: (world: World, host: VirtualHost, facts: SpawnFacts) => void;
  readonly onService?: (world: World, host: VirtualHost, resource: string, active: boolean) => void;
  /** After every event of the virtual world; `touched` = hosts whose core took part in it. */
  readonly after?: (world: World, touched: ReadonlySet<VirtualHost>) => void;
};

export class Violation extends Error {
  override readonly name = "Violation";
  readonly id: string;
  constructor(id: string, message: string) {
    super(`${id}: ${message}`);
    this.id = id;
  }
}
