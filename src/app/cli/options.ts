import { existsSync, readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { DEFAULT_SOCKET } from "./context.ts";
import type { CliOptions, DisplayStyle } from "./level.ts";

/** The command line after its options: words of the level, or that help or an error was printed and all is done. */
export type CommandLine = {
  readonly kind: "run";
  readonly options: CliOptions;
  readonly file: string | null;
  /** `SECTION.NAME=VALUE` of every `-o`. */
  readonly oneOffs: readonly string[];
  readonly words: readonly string[];
  /** Did `-D` say how text is shown? */
  readonly isDisplayGiven: boolean;
};
export type ParsedCommandLine = CommandLine | { readonly kind: "printed"; readonly exitCode: number };

const DISPLAY_WORDS = new Set(["plain", "color", "color-always", "uppercase"]);

/** Reads the options of CRM-CLI §1. What stands after the level belongs to the command, except `--cib-file` right after it. */
export function parseCommandLine(argv: readonly string[]): ParsedCommandLine {
  const program = new Command("quorate")
    .description("Control a Quorate cluster: one command, a shell, or a text of commands.")
    .argument("[words...]", "LEVEL [COMMAND [ARGS...]]")
    .passThroughOptions()
    .option("-f, --file <file>", "read commands from FILE, - for standard input")
    .option("-c, --cib <name>", "start on the shadow configuration NAME")
    .option("-D, --display <style>", "plain, color, color-always or uppercase")
    .option("-F, --force", "go ahead where it would ask or refuse")
    .option("-n, --no", "answer no to every question")
    .option("-w, --wait", "after every changing command wait until the cluster is idle")
    .option("-d, --debug", "show the facts behind an error")
    .option(
      "-o, --opt <section.name=value>",
      "a preference for this call (see `options`)",
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option("--cib-file <file>", "work on a plain configuration file, without a daemon")
    .option("--socket <path>", `the daemon's socket (QUORATE_SOCKET; ${DEFAULT_SOCKET})`)
    .version(versionText(), "--version")
    .helpOption("-h, --help", "say this; `quorate help` names the levels")
    .configureOutput({ writeErr: (text) => process.stderr.write(text.replace(/^error: /, "ERROR: ")) })
    .exitOverride();
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return { kind: "printed", exitCode: error.exitCode };
    throw error;
  }
  const given = program.opts<Record<string, string | boolean | readonly string[] | undefined>>();
  const text = (name: string): string | null => (typeof given[name] === "string" ? given[name] : null);
  const display = text("display");
  if (display !== null && !DISPLAY_WORDS.has(display)) {
    process.stderr.write(`ERROR: -D takes ${[...DISPLAY_WORDS].join(", ")}, not "${display}"\n`);
    return { kind: "printed", exitCode: 1 };
  }
  const { words, cibFile } = takeCibFile(program.args);
  const options: CliOptions = {
    force: given["force"] === true,
    no: given["no"] === true,
    wait: given["wait"] === true,
    debug: given["debug"] === true,
    display: displayOf(display),
    cibFile: cibFile ?? text("cibFile") ?? nonEmpty(process.env["CIB_file"]),
    shadow: text("cib") ?? nonEmpty(process.env["CIB_shadow"]),
    socketPath: text("socket") ?? nonEmpty(process.env["QUORATE_SOCKET"]) ?? DEFAULT_SOCKET,
  };
  return { kind: "run", options, file: text("file"), oneOffs: given["opt"] as readonly string[], words, isDisplayGiven: display !== null };
}

/** `configure --cib-file FILE ...`: scripts put the option after the level too. */
function takeCibFile(words: readonly string[]): { readonly words: readonly string[]; readonly cibFile: string | null } {
  const option = words[1];
  if (option === "--cib-file" && words[2] !== undefined) return { words: [words[0]!, ...words.slice(3)], cibFile: words[2] };
  if (option?.startsWith("--cib-file=") === true)
    return { words: [words[0]!, ...words.slice(2)], cibFile: option.slice("--cib-file=".length) };
  return { words, cibFile: null };
}

/** How text is shown: `color` only at a terminal that wants it. */
export function displayOf(style: string | null): DisplayStyle {
  if (style === "color-always") return "color";
  if (style === "plain" || style === "uppercase") return style;
  return process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined ? "color" : "plain";
}

/** Options that stand before the level, with those that take a word. */
const VALUED = ["-f", "--file", "-c", "--cib", "-D", "--display", "-o", "--opt", "--cib-file", "--socket"];
export const OPTION_WORDS: readonly string[] = [
  ...VALUED,
  "-F",
  "--force",
  "-n",
  "--no",
  "-w",
  "--wait",
  "-d",
  "--debug",
  "-h",
  "--help",
  "--version",
];

/** The options of a line that is still being typed, as far as they say where names are to be looked up, and what follows them. */
export function optionsOfTyped(typed: string, outer: CliOptions): { readonly options: CliOptions; readonly rest: string } {
  const pieces = typed.trimStart().split(/(?<=\s)(?=\S)/);
  let options = outer;
  let at = 0;
  for (let option = typedOption(pieces, at); option !== null; option = typedOption(pieces, at)) {
    options = withTypedOption(options, option);
    at += option.count;
  }
  const after = typedOption(pieces, at + 1);
  if (after?.name !== "--cib-file") return { options, rest: pieces.slice(at).join("") };
  return { options: withTypedOption(options, after), rest: [pieces[at], ...pieces.slice(at + 1 + after.count)].join("") };
}

type TypedOption = { readonly name: string; readonly value: string; readonly count: number };

/** The option at this place with its value; null for another word, and for one that has no blank behind it yet. */
function typedOption(pieces: readonly string[], at: number): TypedOption | null {
  const piece = pieces[at] ?? "";
  const word = piece.trimEnd();
  if (!word.startsWith("-") || word === piece) return null;
  const [, name, given] = /^(--[a-z-]+)=(.*)$/.exec(word) ?? [];
  if (name !== undefined) return { name, value: given ?? "", count: 1 };
  if (!VALUED.includes(word)) return { name: word, value: "", count: 1 };
  const value = pieces[at + 1] ?? "";
  return value === value.trimEnd() ? null : { name: word, value: value.trimEnd(), count: 2 };
}

function withTypedOption(options: CliOptions, { name, value }: TypedOption): CliOptions {
  if (name === "--cib-file") return { ...options, cibFile: value };
  if (name === "-c" || name === "--cib") return { ...options, shadow: value };
  return name === "--socket" ? { ...options, socketPath: value } : options;
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}

function versionText(): string {
  // From the checkout's own package file: one place says the version. Built and unbuilt files lie at different depths.
  for (const up of ["../../../../package.json", "../../../package.json"]) {
    const path = new URL(up, import.meta.url);
    if (!existsSync(path)) continue;
    const parsed = JSON.parse(readFileSync(path, "utf8")) as { version?: string };
    return `quorate ${parsed.version ?? "unknown"}`;
  }
  return "quorate";
}
