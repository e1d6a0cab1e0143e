import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { schedulePlan } from "../daemon/index.ts";
import { type RunOptions, type RunResult, runSeed } from "./run.ts";
import { CORE_FAULTS, HOST_FAULTS, type SeededFault } from "./seeded-faults.ts";
import { shrink } from "./shrink.ts";

const FAULTS: readonly SeededFault[] = [...HOST_FAULTS, ...CORE_FAULTS];

const USAGE = `quorate simulator
  --seed N        first seed (default 1)
  --seeds N       how many (default 1)
  --minutes M     virtual minutes of faults (default 2)
  --trace         print every event
  --shrink        look for a shorter story of a seed that fails, and print it
  --runs N        runs that shrinking may take (default 200)
  --only A,B      only these planned events happen (as --shrink prints them; "none": not one)
  --fault NAME    break a rule on purpose: ${FAULTS.join(", ")}
  --seconds S     stop drawing new seeds after this much real time`;

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not "${text}"`);
  return value;
}

/** The command that repeats a run. */
function again({ seed, minutes, seededFault, only }: RunOptions, events?: readonly string[]): string {
  const names = events ?? (only === undefined ? undefined : [...only]);
  const chosen = names === undefined ? "" : ` --only ${names.length === 0 ? "none" : names.join(",")}`;
  return `npm run sim -- --seed ${seed} --minutes ${minutes}${seededFault === undefined ? "" : ` --fault ${seededFault}`}${chosen} --trace`;
}

async function shrunk(options: RunOptions, runs: number): Promise<number> {
  const found = await shrink(options, runs);
  if (found === null || found.result.violation === null) {
    console.log(`seed ${options.seed} does not fail`);
    return 0;
  }
  console.log(`seed ${options.seed} at commit ${commit()}: ${found.only.length} planned events are enough (${found.runs} runs)`);
  await runSeed({ ...options, only: new Set(found.only), print: (line) => console.log(line) });
  console.log(`again: ${again(options, found.only)}`);
  return 1;
}

function report(options: RunOptions, result: RunResult, traced: boolean): void {
  console.log(`seed ${options.seed} FAILED at commit ${commit()}: ${result.violation?.message}`);
  if (!traced) for (const line of result.tail) console.log(`  ${line}`);
  console.log(`  again: ${again(options)}`);
  console.log(`  shorter: ${again(options).replace("--trace", "--shrink")}`);
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    options: {
      seed: text,
      seeds: text,
      minutes: text,
      fault: text,
      seconds: text,
      only: text,
      runs: text,
      trace: flag,
      shrink: flag,
      help: flag,
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const first = whole("seed", values.seed, 1);
  const count = whole("seeds", values.seeds, 1);
  const stopAt = performance.now() + whole("seconds", values.seconds, 86_400) * 1_000;
  const fault = FAULTS.find((name) => name === values.fault);
  if (values.fault !== undefined && fault === undefined) throw new Error(`--fault is one of ${FAULTS.join(", ")}`);
  const common = {
    minutes: whole("minutes", values.minutes, 2),
    schedule: schedulePlan,
    ...(fault === undefined ? {} : { seededFault: fault }),
    ...(values.only === undefined ? {} : { only: new Set(values.only.split(",")) }),
  };
  if (values.shrink === true) return shrunk({ ...common, seed: first }, whole("runs", values.runs, 200));
  let failed = 0;
  let done = 0;
  for (let seed = first; seed < first + count && performance.now() < stopAt; seed += 1) {
    const options = { ...common, seed };
    const traced = values.trace === true;
    const result = await runSeed({ ...options, ...(traced ? { print: (line: string) => console.log(line) } : {}) });
    done += 1;
    if (result.violation !== null) {
      failed += 1;
      report(options, result, traced);
    } else if (count === 1) {
      const { faults, entries, acknowledged, operations, outageMs, digest } = result;
      const what = [`${faults} faults`, `${entries} entries`, `${acknowledged} acknowledged writes`, `${operations} register operations`];
      if (outageMs !== null) what.push(`${Math.round(outageMs)} ms without writes after the crash of the leader`);
      console.log(`seed ${seed}: ${what.join(", ")}, hash ${digest}`);
    }
  }
  console.log(`${done - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
