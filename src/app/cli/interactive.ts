import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { CliContext } from "./level.ts";
import type { Shell } from "./shell.ts";
import type { Asker } from "./terminal.ts";

/** Lines kept between sessions. */
const HISTORY_LINES_MAX = 1_000;
const CONTINUATION = "   > ";

/** The prompt: one line after the other until `quit` or the end of input. Ctrl-C drops the line that is being typed. */
export async function runInteractive(shell: Shell, context: CliContext, useAsker: (asker: Asker) => void): Promise<void> {
  const path = join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "quorate", "history");
  const history = await readHistory(path);
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: [...history].reverse(),
    historySize: HISTORY_LINES_MAX,
    completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
      shell.complete(line).then(
        (items) => done(null, [items.map((item) => item.word), /\S*$/.exec(line)?.[0] ?? ""]),
        () => done(null, [[], line]),
      );
    },
  });
  // Two readers of one terminal would echo and eat each other's keys: questions go through this one.
  useAsker((question) => new Promise((resolve) => lines.question(question, resolve)));
  let joined = "";
  let quitting = false;
  const ask = (): void => {
    lines.setPrompt(joined === "" ? shell.prompt() : CONTINUATION);
    lines.prompt();
  };
  lines.on("SIGINT", () => {
    joined = "";
    process.stdout.write("^C\n");
    ask();
  });
  ask();
  for await (const text of lines) {
    if (text.endsWith("\\")) {
      joined += `${text.slice(0, -1)} `;
      ask();
      continue;
    }
    const line = (joined + text).trim();
    joined = "";
    if (line !== "" && !line.startsWith("#")) {
      history.push(line);
      quitting = (await shell.run(line)).quit;
      if (quitting) break;
    }
    ask();
  }
  // After the end of input nobody can answer; what was not committed stays uncommitted.
  if (!quitting) useAsker(async () => "n");
  await shell.leaveAll();
  lines.close();
  await writeHistory(path, history, context);
}

async function readHistory(path: string): Promise<string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    // The first session has none; an unreadable one is not worth a word before the prompt.
    return [];
  }
}

async function writeHistory(path: string, lines: readonly string[], context: CliContext): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, `${lines.slice(-HISTORY_LINES_MAX).join("\n")}\n`, { mode: 0o600 });
  } catch (error) {
    context.terminal.warn(`the history of this session was not kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}
