import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Element, element, idOf } from "../../src/core/cib/index.ts";
import { configurationIn, EditSession, emptyConfiguration, objectTypeOf } from "../../src/core/crm/index.ts";
import { formatXml, parseXml } from "../../src/io/xml/index.ts";

/** The checkout, from sources and from `dist/test/crm` alike. */
export const ROOT =
  [2, 3].map((up) => fileURLToPath(new URL("../".repeat(up), import.meta.url))).find((path) => existsSync(join(path, "package.json"))) ??
  process.cwd();

/** Shared conformance data; absent outside the workplace. */
export const SHARED = process.env["QUORATE_SHARED"] ?? join(ROOT, "..", "shared");

/** Why a test of shared data cannot run, or false. In CI missing data is a failure, not a skip. */
export function missing(...path: readonly string[]): string | false {
  const wanted = join(SHARED, ...path);
  if (existsSync(wanted)) return false;
  if (process.env["CI"] === "true") throw new Error(`${wanted} is missing, and CI must not skip`);
  return `SKIPPED: ${wanted} is not here`;
}

export function policyFiles(): string[] {
  const directory = join(SHARED, "conformance", "policy", "xml");
  return readdirSync(directory)
    .filter((name) => name.endsWith(".xml"))
    .sort()
    .map((name) => join(directory, name));
}

export function readConfiguration(path: string): Element {
  return configurationIn(parseXml(readFileSync(path)));
}

export function sessionOf(configuration: Element = emptyConfiguration()): EditSession {
  return new EditSession({ configuration, parseXml });
}

/** Runs lines of objects and gives the session. */
export function defineAll(lines: readonly string[], session: EditSession = sessionOf()): EditSession {
  for (const line of lines) {
    const type = objectTypeOf(line.split(" ", 1)[0] ?? "");
    if (type === null) session.defineXml(line);
    else session.define(type, line);
  }
  return session;
}

/** A three-node configuration in which fencing is off, as the conformance cases use it. */
export function threeNodes(): Element {
  const session = sessionOf();
  return defineAll(["node 1: node1", "node 2: node2", "node 3: node3", "property stonith-enabled=false"], session).configuration;
}

export function xmlOf(configuration: Element): string {
  return formatXml(element("cib", {}, [configuration]));
}

type Canonicaliser = { readonly canonXml: (xml: string, how: { readonly ids: string }) => string };

/** The canonical form of the conformance data: the judge's own program, so that equality means what it means there. */
export async function canonicaliser(): Promise<Canonicaliser> {
  return (await import(join(SHARED, "conformance", "cli", "canon.mjs"))) as Canonicaliser;
}

/** Finds an object by id anywhere in a configuration. */
export function objectIn(configuration: Element, id: string): Element | undefined {
  if (idOf(configuration) === id) return configuration;
  for (const child of configuration.children) {
    const found = objectIn(child, id);
    if (found !== undefined) return found;
  }
  return undefined;
}
