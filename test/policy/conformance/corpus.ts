import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Element, upgradeCib } from "../../../src/core/cib/index.ts";
import { parseXml } from "../../../src/io/xml/index.ts";

/** What the runners use of a case file. */
export type Case = {
  readonly name: string;
  readonly input: string;
  readonly args: { readonly now: string | null };
  readonly tags: readonly string[];
  /** The expected result, in the form that `compare.mjs` takes. */
  readonly expected: unknown;
};

export const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** Where the corpus is, or would be. */
export function corpusRoot(): string {
  return path.resolve(process.env["QUORATE_SHARED"] ?? path.join(process.cwd(), "..", "shared"), "conformance", "policy");
}

/** Every case, by name. */
export function* readCases(root: string): Iterable<Case> {
  for (const file of readdirSync(path.join(root, "cases")).sort()) {
    yield JSON.parse(readFileSync(path.join(root, "cases", file), "utf8")) as Case;
  }
}

/** The upgraded CIB of a case and its effective time: what the case asks for, else what the CIB records, else the clock. */
export function readCase(root: string, wanted: Case): { readonly cib: Element; readonly nowMs: number } {
  const cib = upgradeCib(parseXml(readFileSync(path.join(root, wanted.input), "utf8")));
  return { cib, nowMs: effectiveNowMs(wanted.args.now, cib.attributes["execution-date"]) };
}

function effectiveNowMs(now: string | null, recorded: string | undefined): number {
  if (now !== null) return Date.parse(/[zZ]|[+-]\d{2}:?\d{2}$/.test(now) ? now : `${now.replace(" ", "T")}Z`);
  const seconds = recorded === undefined ? Number.NaN : Number(recorded);
  return Number.isFinite(seconds) ? seconds * 1000 : Date.now();
}
