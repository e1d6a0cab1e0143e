import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openLevelDisk } from "./level-disk.ts";

/** How long the probe keeps the database open after reading it, so that a compaction can show what it meets, ms. */
const LINGER_MS = 300;
const PROBE_TIMEOUT_MS = 60_000;
const FLAG = "--quorate-probe-database";

/**
 * Opens and reads a database in a process of its own. LevelDB answers some damage in its tables with a failed assertion,
 * which ends the process: no error to catch, and the next start would meet it again. True if the probe died of a signal.
 */
export function diesOnOpening(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(fileURLToPath(import.meta.url), [FLAG, path], { stdio: "ignore" });
    let slow = false;
    const timer = setTimeout(() => {
      slow = true;
      child.kill("SIGKILL");
    }, PROBE_TIMEOUT_MS);
    child.once("error", reject);
    child.once("exit", (_code, signal) => {
      clearTimeout(timer);
      // What is slow, or was killed for being slow, is not damaged.
      resolve(signal !== null && !slow);
    });
  });
}

async function probe(path: string): Promise<void> {
  const disk = await openLevelDisk(path);
  const everything = disk.range({ from: new Uint8Array(0), to: new Uint8Array([0xff]) })[Symbol.asyncIterator]();
  while ((await everything.next()).done !== true);
  await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
  await disk.close();
}

if (process.argv[2] === FLAG && process.argv[3] !== undefined) {
  // An error that LevelDB reports is not what is looked for: the start itself deals with those.
  probe(process.argv[3]).then(
    () => process.exit(0),
    () => process.exit(1),
  );
}
