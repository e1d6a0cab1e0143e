import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Errors that a scenario explains. `quorum`: a node lost its majority, so its guardian stopped what it ran or reset the
 * host. `disk`: the disk refused, so a daemon ended. `damage`: a store was damaged, and says so. `device`: a fence device
 * failed. `guardian`: a guardian hung. Whatever else is an error is a finding.
 */
export type Explained = "quorum" | "disk" | "damage" | "device" | "guardian";

const EXPLANATIONS: Readonly<Record<Explained, readonly RegExp[]>> = {
  quorum: [
    /^deadline passed: stopping all resources$/,
    /^the deadline passed without proof of a quorum/,
    /^resetting this host$/,
    /^the cluster has fenced this incarnation of the node/,
    /^stop plan walked$/,
  ],
  disk: [/^the daemon cannot go on$/, /^the daemon could not start$/, /ended with (70|78)$/, /cannot be read: EIO/],
  damage: [/^damage in the store$/, /^the store is damaged/, /^this member has lost its memory/, /it was put aside$/],
  device: [/^the node could not be fenced$/],
  guardian: [/^the guardian is hung: it is killed/],
};

/** A program ended because it was told to (0; 100: its node has left) or killed (137 by the test, 143 by a signal that it did not catch), as its shell says. */
const ENDS = /^(?:supervise: (?:daemon|guardian) ended with (?:0|100|137|143)|Killed|Terminated)$/;
const PINO_ERROR = 50;
const NODE_ENDING = /^\(Use `node --trace-warnings/;

/** The text of a line that needs an explanation, or null: errors, and whatever a program said outside of its log. */
export function complaint(line: string): string | null {
  if (line.trim() === "" || ENDS.test(line) || NODE_ENDING.test(line)) return null;
  if (!line.startsWith("{")) return line;
  let parsed: { readonly level?: unknown; readonly msg?: unknown; readonly message?: unknown };
  try {
    parsed = JSON.parse(line) as typeof parsed;
  } catch {
    // The last line before a power cut may be torn; the next boot goes on behind it.
    return null;
  }
  const isError = parsed.level === "error" || (typeof parsed.level === "number" && parsed.level >= PINO_ERROR);
  return isError ? String(parsed.msg ?? parsed.message) : null;
}

/** Errors in the logs of a directory that nothing explains, with the file and how often. */
export function unexplained(directory: string, explained: readonly Explained[]): readonly string[] {
  const patterns = explained.flatMap((kind) => EXPLANATIONS[kind]);
  const found = new Map<string, { count: number; first: string }>();
  for (const file of readdirSync(directory).sort()) {
    if (!/-(?:daemon|guardian)\.log$/.test(file)) continue;
    for (const line of readFileSync(join(directory, file), "utf8").split("\n")) {
      const text = complaint(line);
      if (text === null || patterns.some((pattern) => pattern.test(text))) continue;
      const key = `${file}: ${text}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { count: 1, first: line });
      else known.count += 1;
    }
  }
  return [...found].map(
    ([key, { count, first }]) => `${key} (${count} times)${first.startsWith("{") ? `\n    ${first.slice(0, 600)}` : ""}`,
  );
}
