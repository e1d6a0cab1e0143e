import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { schedulePlan } from "../daemon/index.ts";
import type { SeededFault } from "./host.ts";
import { runSeed } from "./run.ts";

const USAGE = `quorate simulator
  --seed N        first seed (default 1)
  --seeds N       how many (default 1)
  --minutes M     virtual minutes of faults (default 2)
  --fault NAME    break a rule on purpose: vote-not-persisted, ack-before-sync, uncommitted-intent,
                  fence-wait-skipped, old-incarnation
  --trace         print every event
  --seconds S     stop drawing new seeds after this much real time`;

const FAULTS: readonly SeededFault[] = [
  "vote-not-persisted",
  "ack-before-sync",
  "uncommitted-intent",
  "fence-wait-skipped",
  "old-incarnation",
];

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not "${text}"`);
  return value;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      fault: { type: "string" },
      seconds: { type: "string" },
      trace: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const first = whole("seed", values.seed, 1);
  const count = whole("seeds", values.seeds, 1);
  const minutes = whole("minutes", values.minutes, 2);
  const stopAt = performance.now() + whole("seconds", values.seconds, 86_400) * 1_000;
  const fault = FAULTS.find((name) => name === values.fault);
  if (values.fault !== undefined && fault === undefined) throw new Error(`--fault is one of ${FAULTS.join(", ")}`);
  let failed = 0;
  let done = 0;
  for (let seed = first; seed < first + count && performance.now() < stopAt; seed += 1) {
    const options = { seed, minutes, schedule: schedulePlan, ...(fault === undefined ? {} : { seededFault: fault }) };
    const result = await runSeed({ ...options, ...(values.trace === true ? { print: (line: string) => console.log(line) } : {}) });
    done += 1;
    if (result.violation === null) {
      if (count === 1)
        console.log(
          `seed ${seed}: ${result.faults} faults, ${result.entries} entries, ${result.acknowledged} acknowledged writes, hash ${result.digest}`,
        );
      continue;
    }
    failed += 1;
    console.log(`seed ${seed} FAILED at commit ${commit()}: ${result.violation.message}`);
    if (values.trace !== true) for (const line of result.tail) console.log(`  ${line}`);
    console.log(`  again: npm run sim -- --seed ${seed} --minutes ${minutes}${fault === undefined ? "" : ` --fault ${fault}`} --trace`);
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
