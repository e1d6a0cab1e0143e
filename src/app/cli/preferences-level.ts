import { expectWords } from "./arguments.ts";
import type { CliContext, Command, Completion, DisplayStyle, Level } from "./level.ts";
import { displayOf } from "./options.ts";
import { DEFAULT_PREFERENCES, PREFERENCES, preference, savePreferences, specOf, withPreference } from "./preferences.ts";

/** Changes one preference now; one command alone would leave no trace, so there it is kept at once. */
function change(context: CliContext, name: string, value: string): void {
  context.preferences = withPreference(context.preferences, name, value);
  if (specOf(name).name === "color.style") context.options = { ...context.options, display: styleOf(context) };
  if (context.mode === "one-shot") save(context);
}

function styleOf(context: CliContext): DisplayStyle {
  return displayOf(preference(context.preferences, "color.style"));
}

function save(context: CliContext): void {
  context.terminal.info(`kept in ${savePreferences(context.preferences)}`);
}

const show: Command = {
  name: "show",
  usage: "[NAME]",
  help: "options with their values, as they stand in crm.conf",
  run: async (args, context) => {
    expectWords(args, 0, 1, "show [NAME]");
    if (args[0] !== undefined) {
      context.terminal.out(preference(context.preferences, specOf(args[0]).name));
      return true;
    }
    for (const { name } of PREFERENCES) context.terminal.out(`${name} = ${preference(context.preferences, name)}`.trimEnd());
    return true;
  },
  complete: completeNames,
};

const set: Command = {
  name: "set",
  usage: "NAME VALUE",
  help: "change an option, for this session until `save`",
  run: async (args, context) => {
    expectWords(args, 2, 2, "set NAME VALUE");
    change(context, args[0]!, args[1]!);
    return true;
  },
  complete: async (args) => (args.length <= 1 ? completeNames() : valuesOf(args[0] ?? "")),
};

async function completeNames(): Promise<readonly Completion[]> {
  return PREFERENCES.map(({ name, help }) => ({ word: name, help }));
}

function valuesOf(name: string): readonly Completion[] {
  const spec = PREFERENCES.find((each) => each.name === name || each.name === `core.${name}`);
  if (spec === undefined || spec.kind === "text" || spec.kind === "colors") return [];
  return (spec.kind === "yes-no" ? ["yes", "no"] : spec.kind).map((word) => ({ word }));
}

/** crmsh's word for one option. */
function shortcut(word: string, name: string): Command {
  const spec = specOf(name);
  const usage = spec.kind === "text" ? "TEXT" : spec.kind === "yes-no" ? "yes|no" : spec.kind === "colors" ? "COLOR" : spec.kind.join("|");
  return {
    name: word,
    usage,
    help: spec.help,
    run: async (args, context) => {
      expectWords(args, 1, 1, `${word} ${usage}`);
      change(context, name, args[0]!);
      return true;
    },
    complete: async () => valuesOf(name),
  };
}

/** crmsh's six colours in one word. */
const colorscheme: Command = {
  name: "colorscheme",
  usage: "KEYWORDS,IDS,ATTRIBUTES,VALUES,SCORES,RESOURCES",
  help: "six colours for the text of a configuration, such as yellow,normal,cyan,red,green,magenta",
  run: async (args, context) => {
    expectWords(args, 1, 1, "colorscheme COLOR,COLOR,COLOR,COLOR,COLOR,COLOR");
    const kinds = ["keyword", "identifier", "attr_name", "attr_value", "score", "resource_reference"];
    const colors = args[0]!.split(",");
    expectWords(colors, kinds.length, kinds.length, "colorscheme COLOR,COLOR,COLOR,COLOR,COLOR,COLOR");
    // All or nothing: a bad word must not leave half of a scheme.
    const before = context.preferences;
    context.preferences = kinds.reduce((next, kind, at) => withPreference(next, `color.${kind}`, colors[at] ?? ""), before);
    if (context.mode === "one-shot") save(context);
    return true;
  },
};

const keep: Command = {
  name: "save",
  usage: "",
  help: "keep the options as they are now for later sessions",
  run: async (args, context) => {
    expectWords(args, 0, 0, "save");
    save(context);
    return true;
  },
};

const reset: Command = {
  name: "reset",
  usage: "",
  help: "all options as they are without any file; `save` keeps that",
  run: async (args, context) => {
    expectWords(args, 0, 0, "reset");
    context.preferences = DEFAULT_PREFERENCES;
    context.options = { ...context.options, display: styleOf(context) };
    if (context.mode === "one-shot") save(context);
    return true;
  },
};

/** What a person wants their own way: editor, colours, what is asked and what is checked. */
export const preferencesLevel: Level = {
  name: "options",
  help: "preferences: editor, pager, colours, what is asked and what is checked",
  commands: [
    show,
    set,
    keep,
    reset,
    shortcut("editor", "core.editor"),
    shortcut("pager", "core.pager"),
    shortcut("sort-elements", "core.sort_elements"),
    shortcut("check-frequency", "core.check_frequency"),
    shortcut("check-mode", "core.check_mode"),
    shortcut("manage-children", "core.manage_children"),
    shortcut("wait", "core.wait"),
    shortcut("output", "color.style"),
    colorscheme,
  ],
  levels: [],
};
