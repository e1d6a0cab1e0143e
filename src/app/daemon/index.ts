export { proposalCodec, sizeOfProposal, snapshotCodec } from "./codecs.ts";
export { createNodeShell, EVENTS_MAX, type GuardianPort, type NodeAdapters, type NodeShell } from "./shell.ts";
