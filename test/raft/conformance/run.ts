import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ConfigCase, type QuorumCase, runConfigChange, runQuorum } from "./decisions.ts";
import type { Verdict } from "./report.ts";
import { runScenario, type ScenarioCase } from "./scenario.ts";
import { runVector, type VectorCase } from "./vectors.ts";

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

function guarded(id: string, run: () => string | null): Verdict {
  try {
    const problem = run();
    return problem === null ? { id, kind: "passed" } : { id, kind: "failed", reason: problem };
  } catch (error) {
    return { id, kind: "failed", reason: `threw ${error instanceof Error ? error.message : String(error)}` };
  }
}

function runFile(path: string): readonly Verdict[] {
  const json = readJson(path);
  if (Array.isArray(json)) return json.map((one: unknown) => runListed(one));
  const scenario = json as ScenarioCase;
  try {
    return [runScenario(scenario)];
  } catch (error) {
    return [{ id: scenario.id, kind: "failed", reason: `threw ${error instanceof Error ? error.message : String(error)}` }];
  }
}

/** Tells the kinds of listed cases apart by their shape, so that any set of files may hold any of them. */
function runListed(one: unknown): Verdict {
  const record = one as Record<string, unknown> & { readonly id: string };
  if ("steps" in record && "group" in record) return runScenario(one as ScenarioCase);
  if ("steps" in record) return guarded(record.id, () => runConfigChange(one as ConfigCase));
  if ("voters" in record) return guarded(record.id, () => runQuorum(one as QuorumCase));
  return guarded(record.id, () => runVector(one as VectorCase));
}

/** Runs every case in `dir` and its folder `scenarios`, in the order of their names. */
export function runDirectory(dir: string): readonly Verdict[] {
  const files = [dir, join(dir, "scenarios")].filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .sort()
      .map((name) => join(folder, name)),
  );
  return files.flatMap(runFile);
}
