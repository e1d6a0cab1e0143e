import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Random, seededRandom } from "../../src/core/base/index.ts";
import { canonicalText, type Element } from "../../src/core/cib/index.ts";
import { CONFIGURE_COMMANDS, configurationIn, NO_AGENTS, verifyConfiguration } from "../../src/core/crm/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";
import { generateScript } from "./differential/generate.ts";
import { threeNodes, xmlOf } from "./support.ts";

/** Words that mean something somewhere, so that random lines get deep into the grammar. */
const WORDS = [
  "p1",
  "p2",
  "g1",
  "c1",
  "l1",
  "t1",
  "node1",
  "node2",
  "Dummy",
  "ocf:pacemaker:Stateful",
  "stonith:ssh",
  "@t1",
  "params",
  "meta",
  "op",
  "monitor",
  "operations",
  "utilization",
  "interval=10s",
  "timeout=20",
  "fake=1",
  "$id=x",
  "$id-ref=x",
  "$x:fake=2",
  "@x",
  "rule",
  "inf:",
  "-inf:",
  "100:",
  "#uname",
  "eq",
  "and",
  "or",
  "defined",
  "date",
  "in",
  "spec",
  "gt",
  "lt",
  "start=2020-01-01",
  "end=2030-01-01",
  "hours=1-5",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  "sequential=false",
  "require-all=false",
  "Mandatory:",
  "p1:start",
  "p1:Promoted",
  "symmetrical=false",
  "to",
  "select",
  "attributes",
  "nodes",
  "/var/log/x",
  "read",
  "write",
  "xpath:/cib",
  "ref:p1",
  "type:node",
  "docker",
  "image=x",
  "network",
  "port-mapping",
  "port=80",
  "storage",
  "primitive",
  "description=a",
  '"a b"',
  "'q",
  '"',
  "\\",
  "=",
  ":",
  "::",
  "a=",
  "=b",
  "$",
  "@",
  "__proto__=1",
  "constructor",
  "<primitive",
  "/>",
  "type:primitive",
  "related:p1",
  "changed",
  "xml",
  "force",
  "--force",
  "after",
  "remove",
  "add",
  "10s:20s",
  "p1.fake",
  "p1.monitor.timeout",
  "é",
  "\u0000",
  "a".repeat(300),
  "stonith-enabled=false",
  "tag1:",
  "attr:rack=1",
] as const;

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

/** Commands that wait for a person, leave the level, write files or run agents are no part of a fuzzed text. */
const AVOIDED = new Set([
  "edit",
  "rsctest",
  "validate-all",
  "graph",
  "cibstatus",
  "quit",
  "exit",
  "bye",
  "up",
  "end",
  "back",
  "cd",
  "filter",
  "load",
  "save",
  "cib",
]);
const COMMANDS = CONFIGURE_COMMANDS.filter((command) => !AVOIDED.has(command));

/**
 * Lines that might nearly be right, half of them from scripts that make sense, so that something is there for the others to
 * break. The same seed gives the same lines.
 */
export function* fuzzedLines(seed: number, count: number): Iterable<string> {
  const random = seededRandom(seed);
  let script: string[] = [];
  for (let made = 0; made < count; made += 1) {
    if (random.below(2) === 0) {
      if (script.length === 0) script = generateScript(seed * 1_000_003 + made).filter((line) => !AVOIDED.has(line.split(" ")[0] ?? ""));
      const line = script.shift() ?? "";
      yield random.below(3) === 0 ? disturbed(random, line) : line;
      continue;
    }
    const words: string[] = [random.below(20) === 0 ? pick(random, WORDS) : pick(random, COMMANDS)];
    const length = random.below(12);
    for (let at = 0; at < length; at += 1) words.push(pick(random, WORDS));
    yield words.join(random.below(30) === 0 ? "\t" : " ");
  }
}

/** The line with a word put in, put for another, or taken out. */
function disturbed(random: Random, line: string): string {
  const words = line.split(" ");
  const put = random.below(3) === 0 ? [] : [pick(random, WORDS)];
  return [...words.slice(0, random.below(words.length + 1)), ...put, ...words.slice(random.below(words.length + 1))].join(" ");
}

/** Lines of one request. */
const LINES_A_REQUEST = 20;
/** One request takes longer only when something hangs (milliseconds). */
const ANSWER_TIMEOUT_MS = 60_000;

export type FuzzOutcome = {
  readonly lines: number;
  readonly requests: number;
  readonly committed: number;
  readonly problems: readonly string[];
};

/**
 * Types fuzzed lines into one `configure --server`. Every request must be answered, and what it leaves in the file must be
 * either what was there or a configuration that verifies: nothing in between.
 */
export async function fuzzServer(command: string, seed: number, lines: number): Promise<FuzzOutcome> {
  const baseXml = xmlOf(threeNodes());
  const before = canonicalText(configurationIn(parseXml(baseXml)));
  const server = spawn("sh", ["-c", command], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const problems: string[] = [];
  let committed = 0;
  let requests = 0;
  const all = [...fuzzedLines(seed, lines)];
  try {
    for (let at = 0; at < all.length; at += LINES_A_REQUEST) {
      const commands = all.slice(at, at + LINES_A_REQUEST);
      server.stdin.write(`${JSON.stringify({ id: at, baseXml, files: {}, commands, shows: [], needs: ["no-agent-checks"] })}\n`);
      const answer = await Promise.race([answers.next(), silence()]);
      requests += 1;
      if (answer === null || answer.done === true) {
        problems.push(`no answer to the lines ${at} to ${at + LINES_A_REQUEST} of seed ${seed}:\n${commands.join("\n")}`);
        break;
      }
      const { xml } = JSON.parse(answer.value) as { xml: string };
      let configuration: Element;
      try {
        configuration = configurationIn(parseXml(xml));
      } catch (error) {
        problems.push(`seed ${seed}, line ${at}: what was left cannot be read: ${String(error)}\n${commands.join("\n")}`);
        continue;
      }
      if (canonicalText(configuration) === before) continue;
      committed += 1;
      const errors = verifyConfiguration(configuration, { agents: NO_AGENTS, selfFencing: false }).filter(
        (finding) => finding.severity === "error",
      );
      if (errors.length > 0) problems.push(`seed ${seed}, line ${at}: committed with ${errors[0]?.message}`);
    }
  } finally {
    server.stdin.end();
    server.kill();
  }
  return { lines, requests, committed, problems };
}

function silence(): Promise<null> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), ANSWER_TIMEOUT_MS).unref();
  });
}
