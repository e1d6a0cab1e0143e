import { QuorateError } from "../../core/base/index.ts";
import type { InjectedFailure, Injection } from "../../core/whatif/index.ts";

export type SimulateArguments = {
  readonly kind: "run";
  readonly batch: boolean;
  readonly file: string;
  readonly now: string | null;
  readonly format: "json" | "text";
  readonly scores: boolean;
  readonly injections: readonly Injection[];
  readonly failures: readonly InjectedFailure[];
};

const HELP = `Usage: quorate simulate --xml-file FILE [options]
       quorate simulate --batch

  --xml-file FILE, -x FILE     the CIB with its status section
  --now TIME, -t TIME          effective time (ISO 8601; default: the CIB's execution-date, else the clock)
  --format json|text           default text
  --scores, -s                 show scores
  --batch                      one {"name", "input", "now"} per line in, one result per line out
What if:
  --node-up NODE, --node-down NODE, --node-fail NODE
  --op-inject RSC_TASK_INTERVAL@NODE=RC   a result that came before this run
  --op-fail RSC_TASK_INTERVAL@NODE=RC     a result that this transition meets
  --quorum true|false, --watchdog true|false
  --ticket-grant ID, --ticket-revoke ID, --ticket-standby ID, --ticket-activate ID
  --fail-count RSC@NODE=N
  --utilization NODE-OR-RSC:NAME=N
`;

function bad(message: string): QuorateError {
  return new QuorateError(`simulate: ${message}`, { code: "SIMULATE_ARGUMENT" });
}

/** Reads the command line. Throws `QuorateError` SIMULATE_ARGUMENT. */
export function parseSimulateArguments(argv: readonly string[]): SimulateArguments | { readonly kind: "help"; readonly text: string } {
  let file: string | null = null;
  let now: string | null = null;
  let format = "text";
  let scores = false;
  let batch = false;
  const injections: Injection[] = [];
  const failures: InjectedFailure[] = [];
  const words = argv.flatMap((word) =>
    /^--[a-z-]+=/.test(word) ? [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)] : [word],
  );
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const value = (): string => {
      const next = words[++at];
      if (next === undefined) throw bad(`${word} needs a value`);
      return next;
    };
    if (word === "--help" || word === "-h") return { kind: "help", text: HELP };
    if (word === "--batch") batch = true;
    else if (word === "--scores" || word === "-s") scores = true;
    else if (word === "--xml-file" || word === "-x") file = value();
    else if (word === "--now" || word === "-t") now = value();
    else if (word === "--format") format = value();
    else if (word === "--op-fail") failures.push(parseResult(value()));
    else injections.push(parseInjection(word, value));
  }
  if (format !== "json" && format !== "text") throw bad(`--format is json or text, not ${format}`);
  if (file === null && !batch) throw bad("--xml-file FILE is needed");
  return { kind: "run", batch, file: file ?? "", now, format, scores, injections, failures };
}

function parseInjection(word: string, value: () => string): Injection {
  switch (word) {
    case "--node-up":
    case "--node-down":
    case "--node-fail":
      return { kind: word.slice(2) as "node-up" | "node-down" | "node-fail", node: value() };
    case "--quorum":
      return { kind: "quorum", quorate: parseFlag(word, value()) };
    case "--watchdog":
      return { kind: "watchdog", present: parseFlag(word, value()) };
    case "--ticket-grant":
    case "--ticket-revoke":
    case "--ticket-standby":
    case "--ticket-activate":
      return { kind: "ticket", ticket: value(), state: word.slice("--ticket-".length) as "grant" | "revoke" | "standby" | "activate" };
    case "--op-inject":
      return { kind: "result", ...parseResult(value()) };
    case "--fail-count": {
      const match = /^(.+)@([^=]+)=(\d+|INFINITY)$/.exec(value());
      if (match === null) throw bad("--fail-count is RSC@NODE=N");
      return { kind: "fail-count", resource: match[1]!, node: match[2]!, count: match[3]! };
    }
    case "--utilization": {
      const match = /^([^:=]+):([^=]+)=(-?\d+)$/.exec(value());
      if (match === null) throw bad("--utilization is NODE-OR-RSC:NAME=N");
      return { kind: "utilization", of: match[1]!, name: match[2]!, value: Number(match[3]) };
    }
    default:
      throw bad(`unknown option ${word}`);
  }
}

function parseFlag(word: string, value: string): boolean {
  if (/^(true|yes|on|1)$/i.test(value)) return true;
  if (/^(false|no|off|0)$/i.test(value)) return false;
  throw bad(`${word} is true or false`);
}

/** `RSC_TASK_INTERVAL@NODE=RC`; the interval in milliseconds. */
function parseResult(text: string): InjectedFailure {
  const match = /^(.+)_([a-z]+|migrate_to|migrate_from|reload-agent)_(\d+)@([^=]+)=(\d+)$/.exec(text);
  if (match === null) throw bad(`${text}: a result is RSC_TASK_INTERVAL@NODE=RC`);
  return { resource: match[1]!, task: match[2]!, intervalMs: Number(match[3]), node: match[4]!, rc: Number(match[5]) };
}

/** ISO 8601; UTC unless a zone is given, seconds since 1970 also taken. */
export function parseEpochMs(text: string): number {
  if (/^\d{6,}$/.test(text)) return Number(text) * 1000;
  const zoned = /([zZ]|[+-]\d{2}:?\d{2})$/.test(text) || /^\d{4}-\d{2}-\d{2}$/.test(text);
  const normal = text
    .trim()
    .replace(/^(\d{4}-\d{2}-\d{2}) +/, "$1T")
    .replace(/ +(?=[zZ+-])/, "");
  const parsed = Date.parse(zoned ? normal : `${normal}Z`);
  if (Number.isNaN(parsed)) throw bad(`${text} is not a time`);
  return parsed;
}
