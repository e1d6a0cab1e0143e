import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** One line of the common ledger. `off` and `fenced`: the host has no power any more, so nothing runs on it. */
export type LedgerLine = {
  readonly atNs: bigint;
  readonly node: string;
  readonly resource: string;
  readonly action: "start" | "stop" | "off";
};

export function readLedger(path: string): readonly LedgerLine[] {
  if (!existsSync(path)) return [];
  const lines: LedgerLine[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const [at, node, resource, action] = line.split(" ");
    if (at === undefined || node === undefined || resource === undefined) continue;
    if (action === "start" || action === "stop" || action === "off") lines.push({ atNs: BigInt(at), node, resource, action });
  }
  return lines;
}

/** Notes that a host has lost its power; to be called after it is dead and before anybody is told. */
export function noteOff(path: string, node: string): void {
  appendFileSync(path, `${BigInt(Date.now()) * 1_000_000n} ${node} - off ${process.pid}\n`);
}

/**
 * Every overlap: a start on one node while another node has started and neither stopped it nor lost its power. Lines count
 * in the order of the file: each is one appended write, a start is noted before and a stop after the deed.
 */
export function doubleRuns(lines: readonly LedgerLine[]): readonly string[] {
  const active = new Map<string, Set<string>>();
  const found: string[] = [];
  for (const line of lines) {
    if (line.action === "off") {
      for (const nodes of active.values()) nodes.delete(line.node);
      continue;
    }
    const nodes = active.get(line.resource) ?? new Set<string>();
    active.set(line.resource, nodes);
    if (line.action === "stop") nodes.delete(line.node);
    else {
      const others = [...nodes].filter((node) => node !== line.node);
      if (others.length > 0) found.push(`${line.resource} started on ${line.node} while it runs on ${others.join(" ")} (${line.atNs})`);
      nodes.add(line.node);
    }
  }
  return found;
}

/** Where a resource runs at the end of the ledger. */
export function runningOn(lines: readonly LedgerLine[], resource: string): readonly string[] {
  const nodes = new Set<string>();
  for (const line of lines) {
    if (line.action === "off") nodes.delete(line.node);
    else if (line.resource !== resource) continue;
    else if (line.action === "start") nodes.add(line.node);
    else nodes.delete(line.node);
  }
  return [...nodes].sort();
}
