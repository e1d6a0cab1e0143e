export { GuardianCore } from "./core.ts";
export { DeadlineFile, Journal } from "./journal.ts";
export { Keeper } from "./keeper.ts";
export { createLog, type Log } from "./log.ts";
export { type GuardianSettings, readSettings } from "./settings.ts";
export type { GuardianEffect, GuardianFacts, GuardianInput, JournalRecord, Remembered, RunOrder } from "./types.ts";
export { StopWalk, type WalkOrder } from "./walk.ts";
