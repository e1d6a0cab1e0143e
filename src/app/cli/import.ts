import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { QuorateError } from "../../core/base/index.ts";
import { attributeOf, childOf, type Element, element, withChildren } from "../../core/cib/index.ts";
import {
  applyEdits,
  CrmError,
  configurationIn,
  diffConfigurations,
  EditSession,
  emptyConfiguration,
  explainError,
  type Finding,
  NO_AGENTS,
  nodeNames,
  verifyConfiguration,
} from "../../core/crm/index.ts";
import { type Plan, readModel, schedule, upgradeCib, validateCib } from "../../core/policy/index.ts";
import { executeTransition, type FinalState, finalState, type Injection, inject } from "../../core/whatif/index.ts";
import { formatXml, parseXml } from "../../io/xml/index.ts";
import { parseArguments } from "./arguments.ts";
import { readSource } from "./configure-host.ts";
import { importNotes } from "./import-notes.ts";
import { CommandError } from "./level.ts";

const USAGE = "import pacemaker FILE|- [--output FILE|-] [--now SECONDS]";
/** More nodes than this are not lost one by one in the comparison: every loss is two computations. */
const LOSSES_MAX = 64;

export type ImportIo = { readonly write: (text: string) => void; readonly error: (text: string) => void };

/**
 * `quorate import pacemaker FILE|-`: reads the CIB of a Pacemaker cluster (with status, if it has one) or its crm text; says
 * what is not supported and what will be different; and shows by simulation that resources stay where they are and that
 * the imported configuration places them as the original does. Pacemaker's defaults are kept to the letter: nothing is
 * added. Returns the exit code: 1 when the configuration cannot be taken over.
 */
export async function runImport(argv: readonly string[], io: ImportIo): Promise<number> {
  try {
    const given = parseArguments(argv, { output: "text", now: "text" }, USAGE);
    const [what, source, ...rest] = given.words;
    if (what !== "pacemaker" || source === undefined || rest.length > 0) throw new CommandError(`usage: ${USAGE}`);
    const output = given.text("output") ?? null;
    // With `--output -` the configuration is the data, and the report goes where messages go.
    const report = output === "-" ? io.error : io.write;
    const cib = readCib(await readSource(source));
    const ok = reportOn(cib, nowMsOf(cib, given.text("now") ?? null), (line) => report(`${line}\n`));
    if (output === "-") io.write(formatXml(importedCib(cib)));
    else if (output !== null) writeFileSync(output, formatXml(importedCib(cib)));
    return ok ? 0 : 1;
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof QuorateError)) throw error;
    io.error(`ERROR: ${error instanceof CrmError ? explainError(error, "").join("\n") : error.message}\n`);
    return 1;
  }
}

/** The CIB in today's schema; text of the language becomes one without status. */
function readCib(text: string): Element {
  if (!text.trimStart().startsWith("<")) {
    const session = new EditSession({ configuration: emptyConfiguration(), parseXml });
    session.load(text, "crm", "replace");
    return element("cib", { "validate-with": "pacemaker-3.9" }, [session.configuration, element("status")]);
  }
  const root = parseXml(text);
  const cib = root.name === "cib" ? root : element("cib", {}, [configurationIn(root), element("status")]);
  return upgradeCib(cib);
}

function nowMsOf(cib: Element, now: string | null): number {
  const seconds = Number(now ?? attributeOf(cib, "execution-date") ?? "");
  if (now !== null && !Number.isSafeInteger(seconds)) throw new CommandError(`--now takes seconds since 1970, not "${now}"`);
  return Number.isSafeInteger(seconds) && seconds > 0 ? seconds * 1000 : Date.now();
}

/** The same cluster with its configuration as a commit into an empty cluster makes it, object by object. */
function importedCib(cib: Element): Element {
  const before = childOf(cib, "configuration") ?? element("configuration");
  const empty = emptyConfiguration();
  const committed = applyEdits(empty, diffConfigurations(empty, before));
  return withChildren(
    cib,
    cib.children.map((child) => (child === before ? committed : child)),
  );
}

function reportOn(cib: Element, nowMs: number, say: (line: string) => void): boolean {
  const configuration = childOf(cib, "configuration") ?? element("configuration");
  validateCib(cib);
  const findings = verifyConfiguration(configuration, { agents: NO_AGENTS, selfFencing: true });
  const notes = importNotes(configuration);
  section(
    say,
    "Not supported by this build",
    notes.filter((note) => note.kind === "unsupported").map((note) => `${note.object}: ${note.text}`),
  );
  section(
    say,
    "Different from Pacemaker",
    notes.filter((note) => note.kind === "different").map((note) => `${note.object}: ${note.text}`),
  );
  section(say, "Errors to mend first", tellings(findings, "error"));
  section(say, "Worth a look", tellings(findings, "warning"));
  reportPresent(cib, nowMs, say);
  const agrees = reportAgreement(cib, nowMs, say);
  return agrees && findings.every((finding) => finding.severity !== "error");
}

function tellings(findings: readonly Finding[], severity: Finding["severity"]): string[] {
  return findings.filter((finding) => finding.severity === severity).map((finding) => `${finding.object}: ${finding.message}`);
}

function section(say: (line: string) => void, title: string, lines: readonly string[]): void {
  say(`${title}:${lines.length === 0 ? " nothing" : ""}`);
  for (const line of lines) say(`  ${line}`);
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** What the policy engine would do to the cluster as its status says it is. */
function reportPresent(cib: Element, nowMs: number, say: (line: string) => void): void {
  const hasStatus = (childOf(cib, "status")?.children.length ?? 0) > 0;
  if (!hasStatus) {
    say("Placement: the text has no status, so there is no running cluster to compare with");
    return;
  }
  const moves = schedule(cib, nowMs, md5).summary;
  section(say, "Would be done to the running cluster", moves.map(moveText));
}

function moveText(line: Plan["summary"][number]): string {
  return [line.verb, line.resource ?? line.node ?? "", line.detail, line.reason === null ? "" : `(due to ${line.reason})`]
    .filter((part) => part !== "")
    .join(" ");
}

/** Original and import in the same supposed states: as it is, each node lost, quorum lost. */
function reportAgreement(cib: Element, nowMs: number, say: (line: string) => void): boolean {
  const imported = importedCib(cib);
  const nodes = nodeNames(childOf(cib, "configuration") ?? element("configuration")).slice(0, LOSSES_MAX);
  const states: { readonly name: string; readonly injections: readonly Injection[] }[] = [
    { name: "as it is", injections: [] },
    { name: "without quorum", injections: [{ kind: "quorum", quorate: false }] },
    ...nodes.map((node) => ({ name: `${node} lost`, injections: [{ kind: "node-fail", node } as const] })),
  ];
  const different: string[] = [];
  for (const state of states) {
    const [before, after] = [placements(cib, state.injections, nowMs), placements(imported, state.injections, nowMs)];
    if (before !== after) different.push(state.name);
  }
  if (different.length === 0) say(`Proof: the imported configuration gives the same placements in ${states.length} simulated states`);
  else section(say, "The imported configuration would place resources differently", different);
  return different.length === 0;
}

/** Where everything would be in that state, as text that can be compared. */
function placements(cib: Element, injections: readonly Injection[], nowMs: number): string {
  const wallSec = Math.floor(nowMs / 1000);
  const supposed = inject(cib, injections, wallSec);
  const plan = schedule(supposed, nowMs, md5);
  const execution = executeTransition(supposed, plan.graph, { wallSec, failures: [] });
  const final: FinalState = finalState(readModel(execution.cib, nowMs, md5));
  return JSON.stringify([plan.summary.map(moveText), final.resources, final.bundles]);
}
