import { hostname } from "node:os";
import { hint, QuorateError } from "../../core/base/index.ts";
import { type CliContext, type Command, CommandError, type Completion, type Level, type LevelEntry } from "./level.ts";
import { noSuchCommand } from "./refusals.ts";
import { matchName, quoteWord, splitWords } from "./words.ts";

/** What a line did: `quit` ends the shell. */
export type LineResult = { readonly ok: boolean; readonly quit: boolean };

const DONE: LineResult = { ok: true, quit: false };
const FAILED: LineResult = { ok: false, quit: false };

/** Words that work at every level. */
const EVERYWHERE: readonly {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly usage: string;
  readonly help: string;
}[] = [
  { name: "up", aliases: ["end", "back", ".."], usage: "", help: "go back one level" },
  { name: "cd", usage: "LEVEL[/LEVEL]", help: "go to a level" },
  { name: "ls", usage: "", help: "list levels and commands" },
  { name: "help", aliases: ["?"], usage: "[LEVEL|COMMAND]", help: "say what a word does" },
  { name: "quit", aliases: ["exit", "bye"], usage: "", help: "leave the shell" },
];

/** The directories of levels, with the one that is current. Every way in (one line, a text, a prompt) runs lines here. */
export class Shell {
  readonly #context: CliContext;
  readonly #stack: Level[];
  /** Levels that keep a state (`configure` holds uncommitted changes) are loaded once. */
  readonly #loaded = new Map<LevelEntry, Level>();

  constructor(root: Level, context: CliContext) {
    this.#context = context;
    this.#stack = [root];
  }

  get level(): Level {
    return this.#stack[this.#stack.length - 1]!;
  }

  /** `crm(live/n1)configure# `: the configuration in use, the host, the level. */
  prompt(): string {
    const { cibFile, shadow } = this.#context.options;
    const below = this.#stack.slice(1).map((level) => level.name);
    return `crm(${shadow ?? cibFile ?? "live"}/${hostname().split(".")[0]})${below.join("/")}# `;
  }

  /** Runs one line; whatever goes wrong is told to the person and returned as a failure, never thrown. */
  async run(line: string): Promise<LineResult> {
    try {
      return await this.#runIn(this.#stack, line);
    } catch (error) {
      this.#tell(error);
      return FAILED;
    }
  }

  /** Runs words that a shell has split already. */
  async runWords(words: readonly string[]): Promise<LineResult> {
    return this.run(words.map(quoteWord).join(" "));
  }

  /** Leaves every level, committing what waits in batch. Returns false when something could not be done. */
  async leaveAll(): Promise<boolean> {
    let ok = true;
    while (this.#stack.length > 1) {
      if (!(await this.#leave(this.level))) ok = false;
      this.#stack.pop();
    }
    return ok;
  }

  async complete(line: string): Promise<readonly Completion[]> {
    try {
      return await this.#completeIn(this.#stack, line);
    } catch {
      // A daemon that does not answer must not disturb typing: there is nothing to offer then.
      return [];
    }
  }

  async #runIn(stack: Level[], line: string): Promise<LineResult> {
    const level = stack[stack.length - 1]!;
    const word = firstWord(line);
    if (word === "") return DONE;
    const rest = line.trimStart().slice(word.length).trim();
    const general = EVERYWHERE.find((item) => item.name === word || item.aliases?.includes(word) === true);
    if (general !== undefined && !level.commands.some((command) => command.name === word))
      return this.#runGeneral(general.name, rest, stack);
    if (level.runLine !== undefined) {
      const done = await level.runLine(line, this.#context);
      if (done !== "unknown") return done ? DONE : FAILED;
    }
    const match = matchName(word, [...level.commands, ...level.levels]);
    if (match.kind === "one") {
      if (!match.exact) this.#context.terminal.info(`"${word}" is accepted as "${match.value.name}"`);
      return "load" in match.value ? this.#runBelow(match.value, rest, stack) : this.#runCommand(match.value, rest, level);
    }
    const fromRoot = stack.length > 1 ? matchName(word, stack[0]!.levels) : { kind: "none" as const };
    if (fromRoot.kind === "one" && fromRoot.exact) return this.#runBelow(fromRoot.value, rest, [stack[0]!]);
    const name = `${stack.length === 1 ? "root" : level.name}.${word}`;
    if (match.kind === "many") throw new CommandError(`${name}: ambiguous, could be ${match.names.join(", ")}`);
    const known = [...level.commands, ...level.levels, ...EVERYWHERE].map((item) => item.name);
    throw new CommandError(noSuchCommand(name) + hint(word, known));
  }

  /** Enters the level, or runs the rest of the line in it and comes back. */
  async #runBelow(entry: LevelEntry, rest: string, stack: Level[]): Promise<LineResult> {
    const below = await this.#load(entry);
    if (rest === "" && below.commands.length + below.levels.length > 0) {
      if (stack !== this.#stack) this.#stack.length = 1;
      this.#stack.push(below);
      return DONE;
    }
    if (rest === "-h" || rest === "--help") return this.#help([...stack, below], "");
    const isOpen = this.#stack.includes(below);
    const result = await this.#runIn([...stack, below], rest);
    const left = isOpen || !result.ok ? true : await this.#leave(below);
    return { ok: result.ok && left, quit: result.quit };
  }

  async #runCommand(command: Command, rest: string, level: Level): Promise<LineResult> {
    const args = splitWords(rest);
    if (args.length === 1 && (args[0] === "-h" || args[0] === "--help")) {
      this.#context.terminal.out(describe(command, level.name));
      return DONE;
    }
    const ok = await command.run(args, this.#context);
    return ok ? DONE : FAILED;
  }

  async #runGeneral(name: string, rest: string, stack: Level[]): Promise<LineResult> {
    switch (name) {
      case "up":
        return (await this.#up()) ? DONE : FAILED;
      case "quit": {
        const left = await this.leaveAll();
        return { ok: left, quit: true };
      }
      case "cd":
        return (await this.#changeTo(rest)) ? DONE : FAILED;
      case "ls": {
        const level = stack[stack.length - 1]!;
        for (const item of [...level.levels, ...level.commands]) this.#context.terminal.out("load" in item ? `${item.name}/` : item.name);
        return DONE;
      }
      default:
        return this.#help(stack, rest);
    }
  }

  async #up(): Promise<boolean> {
    if (this.#stack.length === 1) return true;
    const left = await this.#leave(this.level);
    // In batch a refused commit must not trap the rest of the text in the level.
    if (left || this.#context.mode !== "interactive") this.#stack.pop();
    return left;
  }

  async #changeTo(path: string): Promise<boolean> {
    if (path.startsWith("/") && !(await this.leaveAll())) return false;
    for (const step of path.split("/").filter((part) => part !== "" && part !== ".")) {
      if (step === "..") {
        if (!(await this.#up())) return false;
        continue;
      }
      const match = matchName(step, this.level.levels);
      if (match.kind !== "one") throw new CommandError(`cd: no such level: ${step}`);
      this.#stack.push(await this.#load(match.value));
    }
    return true;
  }

  async #help(stack: readonly Level[], topic: string): Promise<LineResult> {
    const level = stack[stack.length - 1]!;
    const { terminal } = this.#context;
    if (topic !== "") {
      const word = firstWord(topic);
      const match = matchName(word, [...level.commands, ...level.levels, ...EVERYWHERE]);
      if (match.kind !== "one") throw new CommandError(`help: no such topic: ${word}`);
      const rest = topic.trim().slice(word.length).trim();
      if ("load" in match.value) return this.#help([...stack, await this.#load(match.value)], rest);
      terminal.out(describe(match.value, level.name));
      return DONE;
    }
    terminal.out(`${level.name === "" ? "quorate" : level.name}: ${level.help}`);
    const items = [...level.levels.map((item) => ({ ...item, name: `${item.name}/` })), ...level.commands, ...EVERYWHERE];
    const width = Math.max(...items.map((item) => item.name.length));
    for (const item of items) terminal.out(`  ${item.name.padEnd(width)}  ${item.help}`);
    return DONE;
  }

  async #completeIn(stack: readonly Level[], line: string): Promise<readonly Completion[]> {
    const level = stack[stack.length - 1]!;
    const word = firstWord(line);
    const typed = line.trimStart();
    if (typed.length > word.length) return this.#completeAfter(stack, word, typed.slice(word.length).trimStart());
    const own = level.complete === undefined ? [] : await level.complete(line, this.#context);
    const names = [...level.commands, ...level.levels, ...EVERYWHERE].map((item) => ({ word: item.name, help: item.help }));
    const seen = new Set<string>();
    const found = [...own, ...names].filter(
      (item) => item.word.startsWith(word) && !seen.has(item.word) && seen.add(item.word) !== undefined,
    );
    // Whole paths may be typed at any level; they come up where nothing of the level fits.
    const fromRoot = stack.length === 1 ? [] : stack[0]!.levels.map((item) => ({ word: item.name, help: item.help }));
    return found.length > 0 ? found : fromRoot.filter((item) => item.word.startsWith(word));
  }

  /** What may follow the command or level that begins the line. */
  async #completeAfter(stack: readonly Level[], word: string, rest: string): Promise<readonly Completion[]> {
    const level = stack[stack.length - 1]!;
    const words = rest.split(/\s+/);
    const last = words[words.length - 1] ?? "";
    const match = matchName(word, [...level.commands, ...level.levels]);
    if (match.kind === "one" && "load" in match.value) return this.#completeIn([...stack, await this.#load(match.value)], rest);
    if (match.kind !== "one") {
      const general = EVERYWHERE.find((item) => item.name === word || item.aliases?.includes(word) === true);
      if (general !== undefined) return words.length > 1 ? [] : this.#completeGeneral(general.name, level, last);
      const below = stack.length > 1 ? matchName(word, stack[0]!.levels) : match;
      if (below.kind === "one" && "load" in below.value) return this.#completeIn([stack[0]!, await this.#load(below.value)], rest);
    }
    if (level.complete !== undefined) return level.complete(`${word} ${rest}`, this.#context);
    if (match.kind !== "one" || !("run" in match.value) || match.value.complete === undefined) return [];
    return (await match.value.complete(words, this.#context)).filter((item) => item.word.startsWith(last));
  }

  #completeGeneral(name: string, level: Level, last: string): readonly Completion[] {
    const levels = level.levels.map((item) => ({ word: item.name, help: item.help }));
    const commands = [...level.commands, ...EVERYWHERE].map((item) => ({ word: item.name, help: item.help }));
    const offered = name === "cd" ? [...levels, { word: ".." }] : name === "help" ? [...levels, ...commands] : [];
    return offered.filter((item) => item.word.startsWith(last));
  }

  async #load(entry: LevelEntry): Promise<Level> {
    const known = this.#loaded.get(entry);
    if (known !== undefined) return known;
    const level = await entry.load();
    this.#loaded.set(entry, level);
    return level;
  }

  async #leave(level: Level): Promise<boolean> {
    if (level.leave === undefined) return true;
    try {
      return await level.leave(this.#context);
    } catch (error) {
      this.#tell(error);
      return false;
    }
  }

  #tell(error: unknown): void {
    const { terminal, options } = this.#context;
    if (!(error instanceof CommandError || error instanceof QuorateError)) throw error;
    // What was broken off fails in many ways, none of which is news to the person who did it.
    const isNews = !this.#context.interrupted || error.message.startsWith("interrupted");
    terminal.error(isNews ? error.message : "interrupted");
    if (options.debug && error instanceof QuorateError) terminal.info(JSON.stringify(error.detail));
  }
}

function firstWord(line: string): string {
  return /^\s*(\S*)/.exec(line)?.[1] ?? "";
}

function describe(
  command: { readonly name: string; readonly aliases?: readonly string[]; readonly usage: string; readonly help: string },
  level: string,
): string {
  const path = [level, command.name, command.usage].filter((part) => part !== "").join(" ");
  const also = command.aliases === undefined ? "" : `\nAlso: ${command.aliases.join(", ")}`;
  return `${path}\n  ${command.help}${also}`;
}
