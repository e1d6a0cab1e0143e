import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { CliContext, Completion } from "./level.ts";
import { preference, secretNames } from "./preferences.ts";
import type { Shell } from "./shell.ts";
import type { Asker } from "./terminal.ts";

/** Lines kept between sessions. */
const HISTORY_LINES_MAX = 1_000;
/** A join token opens the cluster until it is used: not a word to keep. */
const JOIN_TOKEN = /\bq1\.[\w-]{20}/;
const CONTINUATION = "   > ";

/**
 * The prompt: one line after the other until `quit` or the end of input. Ctrl-C drops the line that is being typed, or
 * breaks off the command that runs.
 */
export async function runInteractive(shell: Shell, context: CliContext, useAsker: (asker: Asker | null) => void): Promise<void> {
  const history = await openHistory(context);
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: [...history.lines].reverse(),
    historySize: HISTORY_LINES_MAX,
    completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
      shell.complete(joined + line).then(
        (items) =>
          done(
            null,
            offered(items, line, () => lines.prompt(true)),
          ),
        () => done(null, [[], line]),
      );
    },
  });
  // Two readers of one terminal would echo and eat each other's keys: questions go through this one.
  useAsker((question) => new Promise((resolve) => lines.question(question, resolve)));
  let joined = "";
  let quitting = false;
  let running = false;
  const ask = (): void => {
    lines.setPrompt(joined === "" ? shell.prompt() : CONTINUATION);
    lines.prompt();
  };
  lines.on("SIGINT", () => {
    joined = "";
    process.stdout.write("^C\n");
    // The command ends with its failure, and then the prompt comes.
    if (running) context.interrupt();
    else ask();
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
      await history.add(line);
      context.interrupted = false;
      running = true;
      quitting = (await shell.run(line)).quit;
      running = false;
      if (quitting) break;
    }
    ask();
  }
  lines.close();
  // Ctrl-D ends the lines and not the person: what is pending is asked about as `quit` does.
  if (!quitting) {
    process.stdout.write("\n");
    useAsker(null);
    context.interrupted = false;
    await shell.leaveAll();
  }
}

/** What readline inserts or lists. Alone, a word that is complete gets its blank; `name=` tells what may follow. */
function offered(items: readonly Completion[], line: string, again: () => void): [string[], string] {
  const typed = /\S*$/.exec(line)?.[0] ?? "";
  const [only, ...others] = items;
  const told = items.filter((item) => item.help !== undefined && item.word === typed);
  if (told.length > 0 && typed.endsWith("=")) {
    process.stdout.write(`\n${told.map((item) => item.help).join("\n")}\n`);
    again();
  }
  const left = items.filter((item) => !told.includes(item));
  if (only !== undefined && others.length === 0 && left.length === 1 && !/[=:,]$/.test(only.word)) return [[`${only.word} `], typed];
  return [left.map((item) => item.word), typed];
}

type History = { readonly lines: readonly string[]; add(line: string): Promise<void> };

/** Lines of earlier sessions. Each new one is added to the file at once: a terminal may go away, and two may be open. */
async function openHistory(context: CliContext): Promise<History> {
  const wanted = preference(context.preferences, "path.history");
  const path = wanted === "" ? join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "quorate", "history") : wanted;
  const { namesSecret } = await import("../../core/crm/index.ts");
  let isKept = true;
  const attempt = async (write: () => Promise<void>): Promise<void> => {
    if (!isKept) return;
    try {
      await write();
    } catch (error) {
      isKept = false;
      context.terminal.warn(`typed lines are not kept: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const before = await readHistory(path);
  const lines = before.slice(-HISTORY_LINES_MAX);
  await attempt(async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (before.length > 2 * HISTORY_LINES_MAX) await writeFile(path, `${lines.join("\n")}\n`, { mode: 0o600 });
  });
  return {
    lines,
    add: async (line) => {
      if (JOIN_TOKEN.test(line) || namesSecret(line, secretNames(context.preferences))) return;
      await attempt(() => appendFile(path, `${line.replaceAll("\n", " ")}\n`, { mode: 0o600 }));
    },
  };
}

async function readHistory(path: string): Promise<string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    // The first session has none; an unreadable one is not worth a word before the prompt.
    return [];
  }
}
