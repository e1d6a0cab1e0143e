export { type Applied, apply, applyEmpty, NO_INDEX } from "./apply.ts";
export { sameAction } from "./apply-intents.ts";
export { DETACH_MAX_MS, findMember, NODES_MAX, VOTES_MAX } from "./apply-node.ts";
export { replyTo } from "./apply-session.ts";
export { editsOfUpload, uploadHash, uploadPartHash } from "./apply-upload.ts";
export type {
  ActionSpec,
  AttributeChange,
  CancelDraft,
  Command,
  FencingAction,
  FencingAttempt,
  HistorySelection,
  IntentDraft,
  NodeGuarantee,
  OperationResult,
  OperationStatus,
  Proposal,
  ProposalOrigin,
  StopSpec,
} from "./commands.ts";
export { FEATURE_LEVEL_MAX } from "./commands.ts";
export { type ConfigurationEdit, SECTIONS, type Section } from "./edit.ts";
export {
  attributeOf,
  COMMENT,
  canonicalText,
  childOf,
  childrenOf,
  type Element,
  element,
  idOf,
  sameElement,
  walk,
  withAttributes,
  withChildren,
} from "./element.ts";
export { failCountNames, isFailure, parseCount, recurringKey, stopAction } from "./history.ts";
export { isKept } from "./kept.ts";
export {
  activeOn,
  guardiansStopWithoutQuorum,
  isRetiring,
  isSettled,
  kernelStateOn,
  leavesKernelState,
  tsafeCovers,
  tsafeMs,
} from "./queries.ts";
export { rcMeaning } from "./rc-meaning.ts";
export { CRM_FEATURE_SET, type RenderFacts, renderCib, SCHEMA } from "./render.ts";
export { applyEdits, EDITS_MAX, EDITS_STAGED_MAX, propertyOf, renderConfiguration, renderSection } from "./sections.ts";
export { decodeSnapshot, encodeSnapshot, SNAPSHOT_VERSION, type SnapshotData, snapshotPieces } from "./snapshot.ts";
export * from "./state.ts";
export { upgradeCib } from "./upgrade.ts";
export { isXmlName, unwritableCharacter } from "./xml-characters.ts";
