import { QuorateError } from "../../core/base/index.ts";
import { type EditSession, type Finding, findConflicts } from "../../core/crm/index.ts";
import type { CliContext } from "./level.ts";
import type { ConfigurationStore } from "./store.ts";

/** Tells findings; true when nothing among them blocks a commit. */
export function tellFindings(findings: readonly Finding[], context: CliContext): boolean {
  let ok = true;
  for (const finding of findings) {
    if (finding.severity === "error") {
      ok = false;
      context.terminal.error(`${finding.object}: ${finding.message}`);
    } else context.terminal.warn(`${finding.object}: ${finding.message}`);
  }
  return ok;
}

/** Errors that no force overrides: with them it would be no configuration. */
const STRUCTURAL: ReadonlySet<string> = new Set(["SCHEMA", "DUPLICATE_ID", "MISSING_REFERENCE"]);

/**
 * Verifies and sends what changed. Edits of other people to other objects do not matter; to the same object they stop
 * the commit, and the difference is told. Returns false when nothing was committed that should have been.
 */
export async function commitSession(
  session: EditSession,
  store: ConfigurationStore,
  context: CliContext,
  force: boolean,
): Promise<boolean> {
  if (!session.hasChanges) {
    context.terminal.info("nothing to commit: nothing changed");
    return true;
  }
  const findings = session.verify();
  const ok = tellFindings(findings, context);
  const isBroken = findings.some((finding) => finding.severity === "error" && STRUCTURAL.has(finding.code));
  if (isBroken || (!ok && !force)) {
    context.terminal.error(`the configuration was not committed: it has errors${isBroken ? "" : " (commit force goes ahead)"}`);
    return false;
  }
  const edits = session.edits();
  try {
    await store.commit(edits, force);
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
  session.restart((await store.read()).configuration);
  await context.afterChange();
  return true;
}

function differenceText(conflict: { readonly base: string; readonly theirs: string; readonly ours: string }): string {
  const lines = (mark: string, text: string): string => (text === "" ? `${mark} (deleted)\n` : text.replace(/^(?=.)/gm, `${mark} `));
  return `${lines("  read: ", conflict.base)}${lines("  now:  ", conflict.theirs)}${lines("  yours:", conflict.ours)}`;
}

/** Is this the refusal of a commit because an object changed? */
export function isConflict(error: unknown): boolean {
  return error instanceof QuorateError && error.detail.code === "CIB_CONFLICT";
}
