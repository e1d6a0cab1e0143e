import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
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
    return failed(id, error);
  }
}

/** One verdict a case; what cannot be read, or holds no case, is a failure by the file's name. */
function runFile(path: string): readonly Verdict[] {
  let json: unknown;
  try {
    json = readJson(path);
  } catch (error) {
    return [failed(basename(path), error)];
  }
  const cases: readonly unknown[] = Array.isArray(json) ? json : [json];
  if (cases.length === 0) return [failed(basename(path), "holds no case")];
  return cases.map((one, at) => runListed(one, `${basename(path)}[${at}]`));
}

function failed(id: string, why: unknown): Verdict {
  return { id, kind: "failed", reason: why instanceof Error ? `threw ${why.message}` : String(why) };
}

/** Tells the kinds of cases apart by their shape, so that any set of files may hold any of them. */
function runListed(one: unknown, place: string): Verdict {
  if (one === null || typeof one !== "object") return failed(place, "is no case");
  const record = one as Record<string, unknown>;
  const id = typeof record["id"] === "string" ? record["id"] : place;
  if ("steps" in record && ("group" in record || "ticks" in record)) {
    try {
      return runScenario(one as ScenarioCase);
    } catch (error) {
      return failed(id, error);
    }
  }
  if ("steps" in record) return guarded(id, () => runConfigChange(one as ConfigCase));
  if ("voters" in record) return guarded(id, () => runQuorum(one as QuorumCase));
  return guarded(id, () => runVector(one as VectorCase));
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
