import { parseArgs } from "node:util";
import { seededRandom } from "../../src/core/base/index.ts";
import { destroyOnSignals } from "./cluster.ts";
import { sweepLabs } from "./lab.ts";
import { runScenario } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { CI, SCENARIOS } from "./scenarios/index.ts";

const USAGE = `usage: npm run chaos -- --scenario NAME[,NAME]|all|ci [--seed N] [--minutes M]
  --minutes M  after the scenarios, goes on with drawn ones until M minutes are over
  --list       prints the scenarios
Needs root. CHAOS_VERBOSE=1 prints what happens as it happens.
`;

const { values } = parseArgs({
  options: {
    scenario: { type: "string", default: "ci" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string" },
    list: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});

function chosen(text: string): readonly Scenario[] {
  if (text === "all") return SCENARIOS;
  const names = text === "ci" ? CI : text.split(",");
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined) throw new Error(`no scenario "${name}"; they are: ${SCENARIOS.map((one) => one.name).join(" ")}`);
    return found;
  });
}

type Tally = { passed: number; failed: number; skipped: number };

async function one(scenario: Scenario, seed: number, tally: Tally): Promise<void> {
  const reason = scenario.skip?.() ?? null;
  if (reason !== null) {
    tally.skipped += 1;
    process.stdout.write(`SKIPPED ${scenario.name}: ${reason}\n`);
    return;
  }
  const began = Date.now();
  const spent = (): string => `${((Date.now() - began) / 1000).toFixed(0)} s`;
  try {
    const { changes, reads } = await runScenario(scenario, seed);
    tally.passed += 1;
    process.stdout.write(`ok   ${scenario.name} (seed ${seed}, ${spent()}, ${changes} changes, ${reads} reads)\n`);
  } catch (error) {
    tally.failed += 1;
    process.stdout.write(`FAIL ${scenario.name} (seed ${seed}, ${spent()})\n`);
    process.stdout.write(`${(error instanceof Error ? error.message : String(error)).replace(/^/gm, "     ")}\n`);
    if (process.env["CHAOS_VERBOSE"] !== undefined) process.stdout.write(`${error instanceof Error ? error.stack : ""}\n`);
    process.stdout.write(`     again: npm run chaos -- --scenario ${scenario.name} --seed ${seed}\n`);
  }
}

async function main(): Promise<void> {
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.list === true) {
    for (const { name, story } of SCENARIOS) process.stdout.write(`${CI.includes(name) ? "*" : " "} ${name.padEnd(20)} ${story}\n`);
    return;
  }
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) throw new Error("--seed must be a whole number");
  destroyOnSignals();
  await sweepLabs();
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const scenario of chosen(values.scenario)) await one(scenario, seed, tally);
  const untilMs = Date.now() - performance.now() + Number(values.minutes ?? 0) * 60_000;
  const random = seededRandom(seed);
  while (Date.now() < untilMs) {
    const scenario = SCENARIOS[random.below(SCENARIOS.length)];
    if (scenario !== undefined) await one(scenario, random.nextUint32(), tally);
  }
  process.stdout.write(`skipped: ${tally.skipped}\n${tally.passed} passed, ${tally.failed} failed\n`);
  process.exitCode = tally.failed === 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`chaos: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n0 passed, 1 failed\n`);
  process.exit(1);
});
