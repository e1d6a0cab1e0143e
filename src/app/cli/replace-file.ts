import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { CommandError } from "./level.ts";

/**
 * Puts a text where a file is, or will be, in one step: a reader, a full disk or a power cut finds the old file or the
 * new one. `check` throws when what was written is not what it should be; then, too, the old file stays. A device or a
 * pipe is refused, because a file would take its place. Throws `CommandError`.
 */
export function replaceFile(path: string, text: string, of: { readonly mode: number; readonly check?: (written: string) => void }): void {
  const beside = `${path}.${process.pid}.new`;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw new Error("there is something else than a file");
    // Whoever may write to this directory could have made the name before, as a link to elsewhere.
    rmSync(beside, { force: true });
    const file = openSync(beside, "wx", of.mode);
    try {
      // Unlike one write, this goes on after a short one, and fails when the disk is full.
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    of.check?.(beside);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error instanceof CommandError
      ? error
      : new CommandError(`cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
