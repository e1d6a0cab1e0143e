export {
  type AgentAnswer,
  type AgentCatalog,
  type AgentMetadata,
  type AgentName,
  type AgentOperation,
  type AgentParameter,
  formatAgent,
  NO_AGENTS,
} from "./agents.ts";
export { CONFIGURE_COMMANDS, type Resolved, resolveCommand } from "./commands.ts";
export { configurationDot } from "./dot.ts";
export { applyEdits, type Conflict, diffConfigurations, findConflicts } from "./edits.ts";
export { CrmError, type CrmErrorCode, type CrmErrorDetail, explainError } from "./errors.ts";
export { objectTypeOf } from "./grammar.ts";
export { type Highlight, type HighlightKind, highlight } from "./highlight.ts";
export { configurationIn, type LoadMethod, type ParseXml } from "./load.ts";
export { durationMs, isDuration, isNcName, isScore, normalizeScore } from "./names.ts";
export { checkSchema, type SchemaFault } from "./schema.ts";
export { globMatcher, hideSecrets, namesSecret, SECRET_NAMES, withoutSecrets } from "./secrets.ts";
export { EditSession, hasMonitor, initialConfiguration, resourceIds, type SessionOptions, type ShowStyle } from "./session.ts";
export { joinLines, type LogicalLine, quoteValue, type Token, tokenize } from "./tokens.ts";
export { type CrmObject, emptyConfiguration, findObject, listObjects, nodeNames } from "./tree.ts";
export { type Finding, optionValue, type VerifyOptions, verifyConfiguration } from "./verify.ts";
export {
  CLUSTER_OPTIONS,
  didYouMean,
  hint,
  metaAttributesOf,
  OBJECT_TYPES,
  type ObjectType,
  OPERATION_ATTRIBUTES,
  ROLES,
} from "./words.ts";
export { prettyXml } from "./xml-text.ts";
