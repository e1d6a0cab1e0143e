import { element, idOf, walk } from "../../core/cib/index.ts";
import {
  type AgentCatalog,
  CLUSTER_OPTIONS,
  CONFIGURE_COMMANDS,
  CrmError,
  configurationDot,
  EditSession,
  explainError,
  findObject,
  hint,
  type LoadMethod,
  NO_AGENTS,
  objectTypeOf,
  resolveCommand,
  tokenize,
} from "../../core/crm/index.ts";
import { parseXml } from "../../io/xml/index.ts";
import { openAgentCatalog } from "./agent-metadata.ts";
import { colorConfiguration, upperKeywords } from "./colors.ts";
import { AGENT_FINDINGS, commitSession, findingsOf, tellFindings } from "./configure-commit.ts";
import { completeConfigure } from "./configure-complete.ts";
import { CONFIGURE_HELP } from "./configure-help.ts";
import { readSource, runEditor, runFilter, runPager, writeTarget } from "./configure-host.ts";
import { commitWords, planSession } from "./configure-plan.ts";
import { type CliContext, CommandError, type Completion, type Level } from "./level.ts";
import { isOn, preference, secretNames } from "./preferences.ts";
import { runningResources } from "./running.ts";
import { type ConfigurationStore, openStore } from "./store.ts";

type Open = {
  readonly session: EditSession;
  readonly store: ConfigurationStore;
  readonly key: string;
  /** A plan was asked for, or refused: from then on only a `commit` that is typed commits, not the end of a batch. */
  held: boolean;
};

/** The `configure` level: an editing session over the store that the options name, opened at the first command. */
export class ConfigureLevel {
  readonly #agents: AgentCatalog;
  #open: Open | null = null;

  constructor(agents: AgentCatalog = openAgentCatalog()) {
    this.#agents = agents;
  }

  /** Is there something that was not committed? */
  pendingChanges(): boolean {
    return this.#open?.session.hasChanges ?? false;
  }

  async #session(context: CliContext): Promise<Open> {
    const key = JSON.stringify([context.options.shadow, context.options.cibFile]);
    const open = this.#open;
    if (open !== null && open.key === key) return open;
    if (open?.session.hasChanges === true) throw new CommandError("there are changes that are not committed: commit or refresh first");
    const store = openStore(context);
    const isFile = context.options.shadow === null && context.options.cibFile !== null;
    const { configuration, status } = await store.read();
    const running = store.live ? runningResources(status) : new Set<string>();
    const session = new EditSession({
      configuration,
      parseXml,
      agents: preference(context.preferences, "core.check_frequency") === "never" ? NO_AGENTS : this.#agents,
      sorted: isOn(context.preferences, "core.sort_elements"),
      selfFencing: !isFile,
      newDefaults: !isFile,
      isRunning: (id) => {
        const object = findObject(session.configuration, id);
        return object !== undefined && [...walk(object.element)].some((each) => running.has(idOf(each) ?? ""));
      },
    });
    this.#open = { session, store, key, held: false };
    return this.#open;
  }

  /** Runs one line. False: it failed and the reason was told. `unknown`: it is no command of this level. */
  async execute(line: string, context: CliContext): Promise<boolean | "unknown"> {
    const word = /^\s*(\S*)/.exec(line)?.[1] ?? "";
    if (word === "" || word.startsWith("#")) return true;
    try {
      const resolved = this.#resolve(word);
      if (resolved === null) return "unknown";
      if (tellHelp(resolved.command, line, context)) return true;
      if (!resolved.exact) context.terminal.info(`"${word}" is accepted as "${resolved.command}"`);
      return await this.#run(resolved.command, line, context);
    } catch (error) {
      if (!(error instanceof CrmError)) throw error;
      context.terminal.error(explainError(error, line, secretNames(context.preferences)).join("\n"));
      return false;
    }
  }

  #resolve(word: string): { readonly command: string; readonly exact: boolean } | null {
    try {
      const resolved = resolveCommand("configure", word, CONFIGURE_COMMANDS);
      return SHELL_WORDS.has(resolved.command) ? null : resolved;
    } catch (error) {
      if (error instanceof CrmError && error.detail.code === "CRM_UNKNOWN_COMMAND") return null;
      throw error;
    }
  }

  async #run(command: string, line: string, context: CliContext): Promise<boolean> {
    const open = await this.#session(context);
    const { session } = open;
    const type = objectTypeOf(command);
    if (type !== null) {
      for (const warning of session.define(type, line)) context.terminal.warn(warning);
      if (preference(context.preferences, "core.check_frequency") === "always") tellAboutAgents(session, line, context);
      return true;
    }
    if (command === "xml") {
      session.defineXml(line);
      return true;
    }
    const words = tokenize(line)
      .slice(1)
      .map((token) => token.text);
    const force = context.options.force || words.includes("--force") || words.includes("-f");
    const plain = words.filter((each) => each !== "--force" && each !== "-f");
    switch (command) {
      case "delete":
        session.remove(plain, force);
        return true;
      case "rename":
        if (plain.length !== 2) throw new CommandError("rename: expected OLD NEW");
        session.rename(plain[0] ?? "", plain[1] ?? "", force);
        return true;
      case "modgroup":
        for (const warning of session.modgroup(words)) context.terminal.warn(warning);
        return true;
      case "set":
        if (words.length !== 2) throw new CommandError("set: expected ID.[OP.[INTERVAL.]]ATTRIBUTE VALUE");
        session.set(words[0] ?? "", words[1] ?? "");
        return true;
      case "monitor":
        session.monitor(words);
        return true;
      case "default-timeouts":
        session.defaultTimeouts(words);
        return true;
      case "erase":
        if (words.length > 1 || (words.length === 1 && words[0] !== "nodes")) throw new CommandError("erase: expected nothing, or 'nodes'");
        session.erase(words[0] === "nodes");
        return true;
      default:
        return this.#runOther(command, words, open, context);
    }
  }

  async #runOther(command: string, words: readonly string[], open: Open, context: CliContext): Promise<boolean> {
    const { session, store } = open;
    if (ALONE.has(command) && words.length > 0) throw new CommandError(`${command}: expected nothing, not '${words.join(" ")}'`);
    switch (command) {
      case "show":
        return this.#show(words, session, context);
      case "commit":
        open.held ||= words.some((word) => word.startsWith("--plan"));
        if (!(await commitWords(words, open, context))) return false;
        open.held = false;
        return true;
      case "plan":
        open.held = true;
        return planSession(words, session, context);
      case "verify":
        return tellFindings(findingsOf(session, context), context);
      case "refresh":
        session.restart((await store.read()).configuration);
        open.held = false;
        return true;
      case "load":
        return load(words, session, context);
      case "save":
        return save(words, session, context);
      case "edit":
        return edit(words, session, context);
      case "filter":
        return filter(words, session, context);
      case "get_property":
        return getProperty(words, session, context);
      case "schema":
        context.terminal.out("pacemaker-3.9");
        return true;
      case "upgrade":
        context.terminal.info("the configuration is upgraded when it is read; there is nothing to do");
        return true;
      case "ptest":
      case "simulate":
        return (await import("./configure-simulate.ts")).simulateEdited(session.configuration, words, context);
      case "graph":
        return graph(words, session, context);
      case "rsctest":
        return (await import("./configure-agents.ts")).testResources(session.configuration, words, context);
      case "validate-all":
        return (await import("./configure-agents.ts")).validateAll(session.configuration, words, context);
      default:
        throw new CommandError(`configure.${command}: No such command`);
    }
  }

  #show(words: readonly string[], session: EditSession, context: CliContext): boolean {
    const onScreen = context.mode === "interactive" || process.stdout.isTTY === true;
    const obscure = onScreen ? secretNames(context.preferences) : [];
    const cib = element("cib", { "validate-with": "pacemaker-3.9" });
    const text = session.show(words, { wrap: true, obscure }, cib);
    page(words[0] === "xml" ? text : colored(text, context), context);
    return true;
  }

  /** Before the level is left: in batch what is pending is committed, a person is asked. */
  async leave(context: CliContext): Promise<boolean> {
    const open = this.#open;
    if (open === null || !open.session.hasChanges) {
      this.#open = null;
      return true;
    }
    if (
      context.mode === "interactive" &&
      !(await context.terminal.confirm("There are changes pending. Do you want to commit them", true))
    ) {
      this.#open = null;
      return true;
    }
    if (context.mode !== "interactive" && open.held) {
      context.terminal.info("not committed: a plan was asked for, and only `commit` or `commit --plan ID` carries it out");
      this.#open = null;
      return true;
    }
    const committed = await commitSession(open.session, open.store, context, context.options.force);
    if (committed || context.mode !== "interactive") this.#open = null;
    return committed;
  }

  async complete(line: string, context: CliContext): Promise<readonly Completion[]> {
    const { session } = await this.#session(context);
    return completeConfigure(line, session.configuration, this.#agents);
  }
}

/** `COMMAND -h`, and `property NAME --help`: true when that was asked and is told. Throws for an option that is not known. */
function tellHelp(command: string, line: string, context: CliContext): boolean {
  const words = line.trim().split(/\s+/).slice(1);
  if (words.at(-1) !== "-h" && words.at(-1) !== "--help") return false;
  if (words.length === 1) {
    const [usage, help] = CONFIGURE_HELP[command] ?? ["", ""];
    context.terminal.out(`configure ${command} ${usage}`.trimEnd());
    if (help !== "") context.terminal.out(`  ${help}`);
    return true;
  }
  const [name = ""] = words;
  if (command !== "property" || words.length !== 2) return false;
  const option = CLUSTER_OPTIONS.get(name);
  if (option === undefined) throw new CommandError(`property: there is no cluster option '${name}'${hint(name, CLUSTER_OPTIONS.keys())}`);
  context.terminal.out(`${name}: default ${option.default === "" ? "(none)" : option.default}`);
  if (option.values !== undefined) context.terminal.out(`  one of ${option.values.join(", ")}`);
  return true;
}

/** Commands that take no words. */
const ALONE: ReadonlySet<string> = new Set(["verify", "refresh", "schema"]);

/** Words that the shell itself understands at every level. */
const SHELL_WORDS: ReadonlySet<string> = new Set(["help", "ls", "cd", "up", "end", "back", "quit", "exit", "bye", "cib", "cibstatus"]);

/** The level as the shell drives it. */
export function configureLevel(agents?: AgentCatalog): Level {
  const level = new ConfigureLevel(agents);
  const commands = CONFIGURE_COMMANDS.filter((name) => !SHELL_WORDS.has(name)).map((name) => {
    const [usage, help] = CONFIGURE_HELP[name] ?? ["", ""];
    return {
      name,
      usage,
      help,
      run: async (args: readonly string[], context: CliContext) => (await level.execute([name, ...args].join(" "), context)) === true,
    };
  });
  return {
    name: "configure",
    help: "the configuration: what there is, where it may run, how it belongs together",
    commands,
    levels: [],
    runLine: (line, context) => level.execute(line, context),
    leave: (context) => level.leave(context),
    complete: (line, context) => level.complete(line, context),
  };
}

const METHODS: readonly LoadMethod[] = ["replace", "update", "push"];

/** `load [xml] replace|update|push FILE|URL|-`. */
async function load(words: readonly string[], session: EditSession, context: CliContext): Promise<boolean> {
  const form = words[0] === "xml" ? "xml" : "crm";
  const [method, source, ...rest] = form === "xml" ? words.slice(1) : words;
  const known = METHODS.find((each) => each === method);
  if (known === undefined || source === undefined || rest.length > 0) {
    throw new CommandError(`load: expected [xml] replace|update|push FILE${method === undefined ? "" : `, not '${words.join(" ")}'`}`);
  }
  for (const warning of session.load(await readSource(source), form, known)) context.terminal.warn(warning);
  return true;
}

/** `save [xml] [SELECTION] FILE|-`. Hidden values are saved as they are. */
function save(words: readonly string[], session: EditSession, context: CliContext): boolean {
  const target = words.at(-1);
  if (target === undefined || (words.length === 1 && target === "xml")) throw new CommandError("save: expected [xml] [SELECTION] FILE");
  const text = session.show(words.slice(0, -1), { wrap: true, obscure: [] }, element("cib", { "validate-with": "pacemaker-3.9" }));
  if (target === "-") context.terminal.write(text);
  else writeTarget(target, text);
  return true;
}

/** `edit [xml] [ID…|changed]`: mistakes can be corrected, the text is not lost. */
async function edit(words: readonly string[], session: EditSession, context: CliContext): Promise<boolean> {
  if (!context.terminal.interactive && process.env["EDITOR"] === undefined)
    throw new CommandError("edit: there is nobody to edit; use filter, or set EDITOR");
  let text = session.textOf(words, true);
  for (let isAgain = false; ; isAgain = true) {
    const changed = runEditor(text, preference(context.preferences, "core.editor"));
    if (changed === null) {
      if (isAgain) context.terminal.error("edit: the mistake is still there; nothing was changed");
      return !isAgain;
    }
    text = changed;
    try {
      for (const warning of session.replaceSelected(words, text)) context.terminal.warn(warning);
      return true;
    } catch (error) {
      if (!(error instanceof CrmError)) throw error;
      context.terminal.error(explainError(error, "", secretNames(context.preferences)).join("\n"));
      // Without a person the editor is a program, which would make the same mistake for ever, whatever is forced.
      if (!context.terminal.interactive || !(await context.terminal.confirm("Edit again", false))) return false;
    }
  }
}

/** `filter PROG [xml] [ID…|changed]`: one object a line goes in, the new text comes out. */
function filter(words: readonly string[], session: EditSession, context: CliContext): boolean {
  const [program, ...selection] = words;
  if (program === undefined) throw new CommandError("filter: expected PROGRAM [xml] [SELECTION]");
  const before = session.textOf(selection, false);
  const after = runFilter(program, before);
  if (after === before) return true;
  for (const warning of session.replaceSelected(selection, after)) context.terminal.warn(warning);
  return true;
}

/** `get_property [-t] NAME…`: `-t` prints `true` or `false` for switches. */
function getProperty(words: readonly string[], session: EditSession, context: CliContext): boolean {
  const names = words.filter((word) => word !== "-t" && word !== "--true");
  if (names.length === 0) throw new CommandError("get_property: expected the name of a cluster option");
  for (const name of names) {
    const value = session.getProperty(name, false) ?? "";
    const truth = ["true", "yes", "on", "y", "1"].includes(value.toLowerCase()) ? "true" : "false";
    context.terminal.out(words.length === names.length ? value : truth);
  }
  return true;
}

/** `graph [dot [FILE]]`: text for graphviz; drawing is its business. */
function graph(words: readonly string[], session: EditSession, context: CliContext): boolean {
  const [kind, target, ...rest] = words;
  if ((kind !== undefined && kind !== "dot") || rest.length > 0) {
    throw new CommandError("graph: expected [dot [FILE]]; make a picture with `dot -Tsvg FILE`");
  }
  const text = configurationDot(session.configuration);
  if (target === undefined || target === "-") context.terminal.write(text);
  else writeTarget(target, text);
  return true;
}

function colored(text: string, context: CliContext): string {
  if (context.options.display === "uppercase") return upperKeywords(text);
  return context.options.display === "color" ? colorConfiguration(text, context.preferences) : text;
}

/** What is longer than the terminal goes through the pager, where a person sits at it. */
function page(text: string, context: CliContext): void {
  const rows = process.stdout.rows ?? 0;
  const isLong = process.stdout.isTTY === true && context.mode !== "batch" && text.split("\n").length > rows;
  if (!isLong || !runPager(text, preference(context.preferences, "core.pager"))) context.terminal.write(text);
}

/** What agents say of the object that was just typed; only told, for a later line may still mend it. */
function tellAboutAgents(session: EditSession, line: string, context: CliContext): void {
  const id = tokenize(line)[1]?.text;
  for (const finding of session.verify())
    if (finding.object === id && AGENT_FINDINGS.has(finding.code)) context.terminal.warn(`${finding.object}: ${finding.message}`);
}
