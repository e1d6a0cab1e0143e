import { COMMENT, childOf, childrenOf, type Element, withChildren } from "../../core/cib/index.ts";
import { diffConfigurations, type EditSession, type Finding, findConflicts } from "../../core/crm/index.ts";
import type { CliContext } from "./level.ts";
import { preference } from "./preferences.ts";
import { shadowPath } from "./shadow.ts";
import type { ConfigurationStore } from "./store.ts";
import { readCibFile, writeCibFile } from "./store-file.ts";

/** Tells findings; true when nothing among them blocks a commit. */
export function tellFindings(findings: readonly Finding[], context: CliContext): boolean {
  let ok = true;
  for (const { severity, object, message } of findings) {
    const said = `${TYPED_FOR.get(object) ?? object}: ${message}`;
    if (severity === "error") {
      ok = false;
      context.terminal.error(said);
    } else context.terminal.warn(said);
  }
  return ok;
}

/** What people type for the sets that have an id nobody typed. */
const TYPED_FOR: ReadonlyMap<string, string> = new Map([
  ["cib-bootstrap-options", "property"],
  ["rsc-options", "rsc_defaults"],
  ["op-options", "op_defaults"],
]);

/** What is found by asking agents, by code. */
export const AGENT_FINDINGS: ReadonlySet<string> = new Set([
  "UNKNOWN_AGENT",
  "MISSING_PARAMETER",
  "UNKNOWN_PARAMETER",
  "UNKNOWN_OPERATION",
  "NOT_UNIQUE",
  "BELOW_ADVICE",
]);

/** What there is to say about the session's configuration; with `check_mode` relaxed agents only warn. */
export function findingsOf(session: EditSession, context: CliContext): Finding[] {
  const isRelaxed = preference(context.preferences, "core.check_mode") === "relaxed";
  return session.verify().map((finding) => (isRelaxed && AGENT_FINDINGS.has(finding.code) ? { ...finding, severity: "warning" } : finding));
}

/** Errors that no force overrides: with them it would be no configuration. */
const STRUCTURAL: ReadonlySet<string> = new Set(["SCHEMA", "DUPLICATE_ID", "MISSING_REFERENCE"]);

/**
 * Verifies and sends what changed. Edits of other people to other objects do not matter; to the same object they stop
 * the commit, and the difference is told. With `epoch` only while the cluster's configuration is of that epoch; `replacing` is
 * what the whole of ours is to stand instead of. Returns false when nothing was committed that should have been.
 */
export async function commitSession(
  session: EditSession,
  store: ConfigurationStore,
  context: CliContext,
  force: boolean,
  more: { readonly epoch?: number; readonly replacing?: Element } = {},
): Promise<boolean> {
  if (!session.hasChanges && more.replacing === undefined) {
    context.terminal.info("nothing to commit: nothing changed");
    return true;
  }
  const findings = findingsOf(session, context).map((finding) => (session.isTakenOver ? softened(finding) : finding));
  const ok = tellFindings(findings, context);
  const isBroken = findings.some((finding) => finding.severity === "error" && STRUCTURAL.has(finding.code));
  if (isBroken || (!ok && !force)) {
    context.terminal.error(`the configuration was not committed: it has errors${isBroken ? "" : " (commit force goes ahead)"}`);
    return false;
  }
  const edits = more.replacing === undefined ? session.edits() : diffConfigurations(more.replacing, session.configuration);
  try {
    await store.commit(edits, force, more.epoch);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const current = (await store.read()).configuration;
    const conflicts = findConflicts(session.original, current, edits);
    if (conflicts.length === 0) throw error;
    for (const conflict of conflicts) {
      context.terminal.error(`${conflict.id}: somebody else changed it since it was read`);
      context.terminal.write(differenceText(conflict));
    }
    context.terminal.info("`commit force` writes yours; `refresh` drops yours and reads what is there now");
    return false;
  }
  writeSectionComments(session.original, session.configuration, context);
  session.restart((await store.read()).configuration);
  await context.afterChange();
  return true;
}

/** `commit replace`: the configuration becomes ours as a whole. What others did since it was read stops it, and force undoes that. */
export async function replaceAll(session: EditSession, store: ConfigurationStore, context: CliContext, force: boolean): Promise<boolean> {
  const { configuration } = await store.read();
  const theirs = diffConfigurations(session.original, configuration);
  if (theirs.length > 0 && !force) {
    context.terminal.error(`the configuration has changed since it was read: ${theirs.map((edit) => edit.id).join(", ")}`);
    context.terminal.info("`commit` leaves that as it is; `commit force replace` undoes it");
    return false;
  }
  return commitSession(session, store, context, force, { replacing: configuration });
}

/**
 * Comments between objects belong to a section and are no objects, so no edit carries them. A running cluster keeps none;
 * a file keeps those of the text it was made from.
 */
function writeSectionComments(before: Element, after: Element, context: CliContext): void {
  const { shadow, cibFile } = context.options;
  const path = shadow === null ? cibFile : shadowPath(shadow);
  if (path === null || (commentsIn(before).length === 0 && commentsIn(after).length === 0)) return;
  const cib = readCibFile(path);
  const children = cib.children.map((child) => (child.name === "configuration" ? withComments(child, after) : child));
  writeCibFile(path, withChildren(cib, children));
}

function commentsIn(configuration: Element): Element[] {
  return configuration.children.flatMap((section) => childrenOf(section, COMMENT));
}

function withComments(configuration: Element, from: Element): Element {
  const sections = configuration.children.map((section) => {
    const source = childOf(from, section.name);
    const comments = source === undefined ? [] : childrenOf(source, COMMENT);
    return withChildren(section, [...comments, ...section.children.filter((child) => child.name !== COMMENT)]);
  });
  const missing = from.children.filter(
    (section) => childrenOf(section, COMMENT).length > 0 && childOf(configuration, section.name) === undefined,
  );
  return withChildren(configuration, [...sections, ...missing.map((section) => withChildren(section, childrenOf(section, COMMENT)))]);
}

/** What a cluster has lived with is told, and does not stop the commit (docs/decisions/0304). */
function softened(finding: Finding): Finding {
  return STRUCTURAL.has(finding.code) ? finding : { ...finding, severity: "warning" };
}

function differenceText(conflict: { readonly base: string; readonly theirs: string; readonly ours: string }): string {
  const lines = (mark: string, text: string): string => (text === "" ? `${mark} (deleted)\n` : text.replace(/^(?=.)/gm, `${mark} `));
  return `${lines("  read: ", conflict.base)}${lines("  now:  ", conflict.theirs)}${lines("  yours:", conflict.ours)}`;
}
