export { proposalCodec, proposalEntries, snapshotCodec } from "./codecs.ts";
export { schedulePlan } from "./schedule.ts";
export { createNodeShell, EVENTS_MAX, type GuardianPort, type NodeAdapters, type NodeShell } from "./shell.ts";
export { rememberedMd5 } from "./text-hash.ts";
export { WatchHub } from "./watch-hub.ts";
