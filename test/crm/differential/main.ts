import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { serverCommand } from "../conformance/runner.ts";
import { missing, SHARED } from "../support.ts";
import { generateScript } from "./generate.ts";

/**
 * `node dist/test/crm/differential/main.js [COUNT] [SEED]`, or `--scripts FILE`: random or written scripts through Debian's crmsh 4.4 (as a program, over a
 * file) and through `configure --server`. It compares the exit code, the configuration that was written and its `show`. What
 * CRM-CLI.md decides otherwise is normalised in `neutral`. It is a microscope for people, not a gate: some differences are
 * deliberate (docs/conformance.md), so it always reports and fails only on what cannot be compared at all.
 */
const BASE = `<cib crm_feature_set="3.0.7" have-quorum="1" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="cib-bootstrap-options-stonith-enabled" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="node1"/><node id="2" uname="node2"/><node id="3" uname="node3"/></nodes><resources/><constraints/></configuration><status/></cib>`;

/** One batch of crmsh takes a second or two, more on a busy machine; longer means that it hangs (milliseconds). */
const REFERENCE_TIMEOUT_MS = 300_000;
/** Stands for the exit code of a crmsh that had to be killed. */
const NO_ANSWER = 99;

/** Of a difference at most this many lines are told of each side. */
const LINES_TOLD_MAX = 12;

type Result = { readonly rc: number; readonly xml: string; readonly said: string; readonly show: () => string };
type Canon = {
  readonly canonXml: (xml: string, how: { readonly ids: string }) => string;
  readonly canonShow: (text: string) => readonly string[];
};

function reference(lines: readonly string[], directory: string): Result {
  const path = join(directory, "cib.xml");
  writeFileSync(path, BASE);
  const environment = { ...process.env, CIB_file: path, HOME: directory };
  const crm = (args: readonly string[], input: string) =>
    spawnSync("crm", [...args], { input, env: environment, timeout: REFERENCE_TIMEOUT_MS, encoding: "utf8" });
  const done = crm(["configure"], `${lines.join("\n")}\n`);
  const xml = readFileSync(path, "utf8");
  const show = (): string => {
    writeFileSync(path, xml);
    return crm(["configure", "show"], "").stdout;
  };
  return { rc: done.status ?? NO_ANSWER, xml, said: done.stderr, show };
}

class Candidate {
  readonly #server = spawn("sh", ["-c", serverCommand()], { stdio: ["pipe", "pipe", "inherit"] });
  readonly #answers = createInterface({ input: this.#server.stdout })[Symbol.asyncIterator]();

  async run(lines: readonly string[]): Promise<Result> {
    this.#server.stdin.write(`${JSON.stringify({ id: 0, baseXml: BASE, files: {}, commands: lines, shows: [], needs: [] })}\n`);
    const { value } = await this.#answers.next();
    const answer = JSON.parse(String(value)) as { rc: number; xml: string; show: string; err: string };
    return { rc: answer.rc, xml: answer.xml, said: answer.err, show: () => answer.show };
  }

  close(): void {
    this.#server.stdin.end();
  }
}

/** What the newer crmsh and Quorate write otherwise on purpose (CRM-CLI.md §4; docs/decisions/0302). */
function neutral(text: string): string {
  return text
    .replaceAll(/Master/g, "Promoted")
    .replaceAll(/Slave/g, "Unpromoted")
    .replaceAll(/\b(interval|timeout|start-delay)=("?)(\d+)s\b/g, "$1=$2$3")
    .replaceAll(/\n *<nvpair[^>]*name="interleave" value="true"\/>/g, "")
    .replaceAll(/ interleave=true/g, "")
    .replaceAll(/(port-mapping|storage-mapping)((?: (?!id=)\S+)*) id=\S+/g, "$1$2");
}

function compare(canon: Canon, ours: Result, theirs: Result): string[] {
  const found: string[] = [];
  if ((ours.rc === 0) !== (theirs.rc === 0)) found.push(`exit code: ours ${ours.rc}, theirs ${theirs.rc}`);
  const xml = (result: Result): string[] => neutral(canon.canonXml(result.xml, { ids: "loose" })).split("\n");
  const show = (result: Result): string[] => canon.canonShow(neutral(result.show())).map((line) => line.replace(/ meta$/, ""));
  found.push(...difference("xml", xml(ours), xml(theirs)));
  if (found.length === 0) found.push(...difference("show", show(ours), show(theirs)));
  return found;
}

function difference(what: string, ours: readonly string[], theirs: readonly string[]): string[] {
  const [a, b] = [new Set(ours.map((line) => line.trim())), new Set(theirs.map((line) => line.trim()))];
  const empty = (line: string): boolean => /^<(meta_attributes|\/meta_attributes)/.test(line);
  const mine = [...a].filter((line) => !b.has(line) && !empty(line)).map((line) => `${what} ours:   ${line}`);
  const other = [...b].filter((line) => !a.has(line) && !empty(line)).map((line) => `${what} theirs: ${line}`);
  return [...mine.slice(0, LINES_TOLD_MAX), ...other.slice(0, LINES_TOLD_MAX)];
}

/** Leaves out lines as long as the difference stays. */
async function shrink(lines: readonly string[], differs: (lines: readonly string[]) => Promise<boolean>): Promise<readonly string[]> {
  let small = lines;
  for (let at = small.length - 1; at >= 0; at -= 1) {
    const without = small.filter((_, index) => index !== at);
    if (without.length > 0 && (await differs(without))) small = without;
  }
  return small;
}

/** Scripts to compare, each with the name it is told by. */
type Script = { readonly name: string; readonly lines: readonly string[] };

/** Scripts of a file are separated by empty lines. */
function scriptsOf(path: string): Script[] {
  const blocks = readFileSync(path, "utf8").split(/\n{2,}/);
  return blocks.map((block, index) => ({ name: `${path} ${index + 1}`, lines: block.split("\n").filter((line) => line !== "") }));
}

/** Drawn scripts are cut down to what differs; what a person wrote together stays together. */
async function main(scripts: readonly Script[], isWritten: boolean): Promise<void> {
  const absent = missing("conformance", "cli", "canon.mjs");
  if (absent !== false || spawnSync("crm", ["--version"]).error !== undefined) {
    console.log(absent === false ? "SKIPPED: crmsh (Debian's package crmsh) is not installed" : absent);
    return;
  }
  const canon = (await import(join(SHARED, "conformance", "cli", "canon.mjs"))) as Canon;
  const directory = mkdtempSync(join(tmpdir(), "quorate-differential-"));
  const candidate = new Candidate();
  const differences = async (lines: readonly string[]): Promise<string[]> =>
    compare(canon, await candidate.run(lines), reference(lines, directory));
  let equal = 0;
  let written = 0;
  let broken = 0;
  try {
    for (const { name, lines } of scripts) {
      const whole = reference(lines, directory);
      // A crmsh that breaks down, or did not end in time, has no opinion.
      if (whole.said.includes("Traceback") || whole.rc === NO_ANSWER) {
        broken += 1;
        continue;
      }
      if (whole.xml !== BASE) written += 1;
      if (compare(canon, await candidate.run(lines), whole).length === 0) {
        equal += 1;
        continue;
      }
      const small = isWritten ? lines : await shrink(lines, async (some) => (await differences(some)).length > 0);
      const [ours, theirs] = [await candidate.run(small), reference(small, directory)];
      console.log(`== ${name}`);
      for (const line of small) console.log(`   ${line}`);
      for (const line of compare(canon, ours, theirs)) console.log(`   -- ${line}`);
      for (const line of ours.said.trim().split("\n")) console.log(`   ours said:   ${line}`);
      for (const line of theirs.said.trim().split("\n").slice(-6)) console.log(`   theirs said: ${line.slice(0, 200)}`);
    }
  } finally {
    candidate.close();
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(
    `${scripts.length} scripts: ${equal} equal, ${scripts.length - equal - broken} differ; crmsh wrote ${written}, broke down at ${broken}`,
  );
}

const [first = "100", second = "1"] = process.argv.slice(2);
const seeds = Array.from({ length: Number(first) || 0 }, (_, index) => Number(second) + index);
const isWritten = first === "--scripts";
await main(isWritten ? scriptsOf(second) : seeds.map((seed) => ({ name: `seed ${seed}`, lines: generateScript(seed) })), isWritten);
