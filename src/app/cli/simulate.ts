import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { QuorateError } from "../../core/base/index.ts";
import { attributeOf, type Element } from "../../core/cib/index.ts";
import { readModel, schedule, upgradeCib, validateCib } from "../../core/policy/index.ts";
import {
  executeTransition,
  type InjectedFailure,
  type Injection,
  inject,
  simulationResult,
  simulationText,
} from "../../core/whatif/index.ts";
import { parseXml } from "../../io/xml/index.ts";
import { textLines } from "./lines.ts";
import { parseEpochMs, parseSimulateArguments, type SimulateArguments } from "./simulate-arguments.ts";

/** Where a simulation reads and writes; the shell gives its own, tests give buffers. */
export type SimulateIo = {
  readonly stdin: NodeJS.ReadableStream;
  readonly write: (text: string) => void;
  readonly error: (text: string) => void;
};

/** One request of a batch, bytes of UTF-8. */
const REQUEST_BYTES_MAX = 1024 * 1024;
const EXIT_OK = 0;
const EXIT_FAILED = 1;

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/**
 * `quorate simulate`: what the policy engine would do with a CIB, and the state after it had been done. With `--batch`
 * one request per input line and one result per output line; a CIB that cannot be processed gives an `error` and the
 * program goes on. Returns the exit code.
 */
export async function runSimulate(argv: readonly string[], io: SimulateIo): Promise<number> {
  try {
    const options = parseSimulateArguments(argv);
    if (options.kind === "help") {
      io.write(options.text);
      return EXIT_OK;
    }
    if (options.batch) return await runBatch(io);
    io.write(simulateFile(options));
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    io.error(`ERROR: ${error.message}\n`);
    return EXIT_FAILED;
  }
}

type Asked = {
  readonly file: string;
  readonly now: string | null;
  readonly injections: readonly Injection[];
  readonly failures: readonly InjectedFailure[];
};

function simulateFile(options: SimulateArguments): string {
  const simulation = simulate({ file: options.file, now: options.now, injections: options.injections, failures: options.failures });
  if (options.format === "json") return `${JSON.stringify(simulation.result())}\n`;
  return simulation.text(options.scores);
}

type Simulation = { readonly result: () => object; readonly text: (scores: boolean) => string };

function simulate(asked: Asked): Simulation {
  const wallSec = Math.floor(Date.now() / 1000);
  const read = readCib(asked.file);
  validateCib(read);
  const before = upgradeCib(read);
  const cib = inject(before, asked.injections, wallSec);
  const nowMs = effectiveTimeMs(cib, asked.now);
  const plan = schedule(cib, nowMs, md5, { scores: true });
  const execution = executeTransition(cib, plan.graph, { wallSec, failures: asked.failures });
  const after = readModel(execution.cib, nowMs, md5);
  return {
    result: () => simulationResult(plan, after),
    text: (scores) => simulationText(plan, execution, after, { scores, before, injections: asked.injections }),
  };
}

function readCib(file: string): Element {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new QuorateError(`cannot read ${file}`, { code: "SIMULATE_FILE" }, cause);
  }
  return parseXml(bytes);
}

/** The given time, else the one recorded in the CIB, else the clock (status.md 1.2). */
function effectiveTimeMs(cib: Element, now: string | null): number {
  if (now !== null) return parseEpochMs(now);
  const recorded = Number.parseInt(attributeOf(cib, "execution-date") ?? "", 10);
  return Number.isFinite(recorded) ? recorded * 1000 : Date.now();
}

async function runBatch(io: SimulateIo): Promise<number> {
  for await (const line of textLines(io.stdin, REQUEST_BYTES_MAX)) {
    if (line.kind === "bad") io.write(`${JSON.stringify({ name: null, error: line.reason })}\n`);
    else if (line.text.trim() !== "") io.write(`${JSON.stringify(answer(line.text))}\n`);
  }
  return EXIT_OK;
}

/** One line of a batch. Nothing that one input does may keep the others from being answered. */
function answer(line: string): object {
  let name: unknown = null;
  try {
    const request: unknown = JSON.parse(line);
    if (!isRequest(request)) return { name, error: 'a request is {"name", "input", "now"}' };
    name = request.name;
    return { name, ...simulate({ file: request.input, now: request.now ?? null, injections: [], failures: [] }).result() };
  } catch (error) {
    return { name, error: error instanceof Error ? error.message : String(error) };
  }
}

function isRequest(value: unknown): value is { name: string; input: string; now?: string | null } {
  if (typeof value !== "object" || value === null) return false;
  const { name, input, now } = value as { name?: unknown; input?: unknown; now?: unknown };
  return typeof name === "string" && typeof input === "string" && (now === undefined || now === null || typeof now === "string");
}
