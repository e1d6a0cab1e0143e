import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Element, element } from "../../src/core/cib/index.ts";
import { checkoutRoot, type LiveCluster, type LiveNode } from "./live-cluster.ts";

export function nvpairs(kind: string, id: string, values: Readonly<Record<string, string>>): Element {
  const pairs = Object.entries(values).map(([name, value]) => element("nvpair", { id: `${id}-${name}`, name, value }));
  return element(kind, { id }, pairs);
}

export function dummy(cluster: LiveCluster, id: string): Element {
  const op = (name: string, interval: string, timeout: string): Element => element("op", { id: `${id}-${name}`, name, interval, timeout });
  return element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, [
    nvpairs("instance_attributes", `${id}-params`, { ledger: cluster.ledger }),
    element("operations", {}, [op("monitor", "1s", "20s"), op("stop", "0", "2s")]),
  ]);
}

export function put(section: string, after: Element): unknown {
  return { section, id: after.attributes["id"], before: null, after };
}

export async function commit(cluster: LiveCluster, node: LiveNode, edits: readonly unknown[]): Promise<void> {
  await cluster.request(node, "config.commit", { edits });
  await cluster.request(node, "wait.idle", { timeoutMs: 30_000 });
}

export type LedgerEntry = { readonly node: string; readonly action: string };

/** Starts and stops of a resource as the agents noted them, oldest first. */
export function ledgerOf(cluster: LiveCluster, resource: string): readonly LedgerEntry[] {
  return cluster
    .ledgerLines()
    .filter((line) => line[2] === resource)
    .map((line) => ({ node: line[1] ?? "", action: line[3] ?? "" }));
}

/** The node on which the ledger says that it runs. */
export function runsOn(cluster: LiveCluster, resource: string): string | null {
  const last = ledgerOf(cluster, resource).at(-1);
  return last?.action === "start" ? last.node : null;
}

/** Copies that run by the ledger: each node's last word counts. */
export function activeCopies(cluster: LiveCluster, resource: string): number {
  const last = new Map<string, string>();
  for (const entry of ledgerOf(cluster, resource)) last.set(entry.node, entry.action);
  return [...last.values()].filter((action) => action === "start").length;
}

/** The `quorate` program, as an operator runs it. */
export function quorate(node: LiveNode, ...args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  const program = join(checkoutRoot(), "dist", "src", "app", "cli", "main.js");
  const child = spawn(process.execPath, [program, "--socket", node.socketPath, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, text })));
}
