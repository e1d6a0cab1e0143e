import { createReadStream, existsSync } from "node:fs";
import { QuorateError } from "../../core/base/index.ts";
import { openContext } from "./context.ts";
import { type CliContext, type CliMode, type CliOptions, CommandError } from "./level.ts";
import { textLines } from "./lines.ts";
import { type CommandLine, displayOf, OPTION_WORDS, optionsOfTyped, parseCommandLine } from "./options.ts";
import { type Preferences, preference, readPreferences, withOneOff } from "./preferences.ts";
import { rootLevel } from "./root.ts";
import { Shell } from "./shell.ts";
import { type Asker, processTerminal, type Terminal } from "./terminal.ts";

/** Exit code of a command that failed, and of a batch with a bad line. */
const EXIT_FAILED = 1;
/** Exit code for a `-f` file that cannot be read. */
const EXIT_NO_FILE = 2;
/** Bytes of one logical line of a batch. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

async function main(argv: readonly string[]): Promise<number> {
  const line = parseCommandLine(argv);
  if (line.kind === "printed") return line.exitCode;
  if (line.words[0] === "simulate") return simulate(line.words.slice(1));
  if (line.words[0] === "import") return importPacemaker(line.words.slice(1));
  const preferences = preferencesOf(line);
  const options = line.isDisplayGiven ? line.options : { ...line.options, display: displayOf(preference(preferences, "color.style")) };
  const terminalOptions = { color: options.display === "color", force: options.force, no: options.no };
  if (line.file !== null && line.file !== "-" && !existsSync(line.file)) {
    processTerminal({ ...terminalOptions, interactive: false }).error(`cannot read ${line.file}`);
    return EXIT_NO_FILE;
  }
  if (line.words[0] === "configure" && line.words[1] === "--server") {
    const { runConfigureServer } = await import("./configure-server.ts");
    return runConfigureServer(process.stdin, process.stdout);
  }
  if (line.words[0] === "__complete") return completeForShell(line.words[1] ?? "", line.options);
  const mode = await modeOf(line);
  const terminal = batchTerminal(processTerminal({ ...terminalOptions, interactive: canAnswer(mode) }));
  const context = openContext(terminal, mode, options, preferences);
  try {
    return await runIn(mode, line, context, terminal);
  } finally {
    context.close();
  }
}

/** The files' preferences, then those of `-o`. */
function preferencesOf(line: CommandLine): Preferences {
  const terminal = processTerminal({ color: false, interactive: false, force: false, no: false });
  return line.oneOffs.reduce(withOneOff, readPreferences(terminal.warn));
}

/** Is there a person to ask? One command typed at a terminal has one; a batch has none, wherever it comes from. */
function canAnswer(mode: CliMode): boolean {
  return mode === "interactive" || (mode === "one-shot" && process.stdin.isTTY === true && process.stderr.isTTY === true);
}

/** A level alone is entered; more words are one command; none is a shell, or a batch where nobody sits. */
async function modeOf(line: CommandLine): Promise<CliMode> {
  if (line.file !== null) return "batch";
  if (line.words.length > 0 && !(await entersLevel(line.words))) return "one-shot";
  return process.stdin.isTTY === true ? "interactive" : "batch";
}

async function entersLevel(words: readonly string[]): Promise<boolean> {
  let level = rootLevel();
  for (const word of words) {
    const entry = level.levels.find((item) => item.name === word || item.aliases?.includes(word) === true);
    if (entry === undefined) return false;
    level = await entry.load();
    if (level.commands.length + level.levels.length === 0) return false;
  }
  return true;
}

async function runIn(mode: CliMode, line: CommandLine, context: CliContext, terminal: BatchTerminal): Promise<number> {
  const shell = new Shell(rootLevel(), context);
  if (mode === "one-shot") {
    const { ok } = await shell.runWords(line.words);
    return ok ? 0 : EXIT_FAILED;
  }
  if (line.words.length > 0) {
    const { ok } = await shell.runWords(line.words);
    if (!ok) return EXIT_FAILED;
  }
  if (mode === "interactive") {
    const { runInteractive } = await import("./interactive.ts");
    await runInteractive(shell, context, terminal.useAsker);
    return 0;
  }
  return runBatch(shell, line.file === null || line.file === "-" ? process.stdin : createReadStream(line.file), terminal);
}

/** Runs every line; a bad one is told and the rest still runs (CRM-CLI §1). The end of the text leaves all levels. */
async function runBatch(shell: Shell, input: NodeJS.ReadableStream, terminal: BatchTerminal): Promise<number> {
  let failed = false;
  let joined = "";
  let quit = false;
  const runOne = async (text: string): Promise<void> => {
    if (text.trim() === "" || text.trimStart().startsWith("#")) return;
    const result = await shell.run(text);
    failed ||= !result.ok;
    quit ||= result.quit;
  };
  process.once("SIGINT", () => process.exit(EXIT_FAILED));
  for await (const line of textLines(input, LINE_BYTES_MAX)) {
    if (joined === "") terminal.at(line.number);
    if (line.kind === "bad") {
      // What was joined so far is part of a line that cannot be read.
      terminal.error(line.reason);
      failed = true;
      joined = "";
    } else if (line.text.endsWith("\\")) joined += `${line.text.slice(0, -1)} `;
    else {
      await runOne(joined + line.text);
      joined = "";
    }
    if (joined.length > LINE_BYTES_MAX) throw new CommandError(`a line is longer than ${LINE_BYTES_MAX} bytes`);
    if (quit) break;
  }
  await runOne(joined);
  terminal.at(null);
  if (!(await shell.leaveAll())) failed = true;
  return failed ? EXIT_FAILED : 0;
}

/**
 * What the completion of bash asks for with the line typed so far, the program's name left out: words that may come next,
 * one a line. A line that begins with a tab is no word but tells about the one that is typed.
 */
async function completeForShell(typed: string, outer: CliOptions): Promise<number> {
  const terminal = processTerminal({ color: false, interactive: false, force: false, no: false });
  const { options, rest } = optionsOfTyped(typed, outer);
  if (/^-\S*$/.test(rest)) {
    for (const word of OPTION_WORDS) if (word.startsWith(rest)) terminal.out(word);
    return 0;
  }
  const context = openContext(terminal, "one-shot", options);
  const last = /\S*$/.exec(rest)?.[0] ?? "";
  for (const { word, help } of await new Shell(rootLevel(), context).complete(rest)) {
    if (word !== last) terminal.out(word);
    else if (help !== undefined && word.endsWith("=")) terminal.out(`\t${help}`);
    else terminal.out(word);
  }
  context.close();
  return 0;
}

interface BatchTerminal extends Terminal {
  useAsker(asker: Asker | null): void;
  /** Messages name this line of the text from now on. */
  at(line: number | null): void;
}

function batchTerminal(terminal: ReturnType<typeof processTerminal>): BatchTerminal {
  let where = "";
  return {
    ...terminal,
    error: (message) => terminal.error(where + message),
    warn: (message) => terminal.warn(where + message),
    at: (line) => {
      where = line === null ? "" : `${line}: `;
    },
  };
}

/** Simulation is a program of its own, with its own options; loaded alone because it is run in long loops. */
async function simulate(args: readonly string[]): Promise<number> {
  const { runSimulate } = await import("./simulate.ts");
  return runSimulate(args, {
    stdin: process.stdin,
    write: (text) => {
      process.stdout.write(text);
    },
    error: (text) => {
      process.stderr.write(text);
    },
  });
}

async function importPacemaker(args: readonly string[]): Promise<number> {
  const { runImport } = await import("./import.ts");
  return runImport(args, {
    write: (text) => {
      process.stdout.write(text);
    },
    error: (text) => {
      process.stderr.write(text);
    },
  });
}

// Whoever reads us may stop early, as `head` does: that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

// Arguments may hold a join token or an agent's password; whoever lists processes has no business with them.
process.title = "quorate";

try {
  // Setting the code instead of exiting lets what was written to a pipe arrive.
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CommandError || error instanceof QuorateError)) throw error;
  process.stderr.write(`ERROR: ${error.message}\n`);
  process.exitCode = EXIT_FAILED;
}
