/**
 * Short words for the places people protect, and the XPath each stands for (CRM-CLI.md §4). A shortcut with a name in
 * angle brackets takes it after a colon; a trailing one may be left out.
 */
type Shortcut = {
  readonly word: string;
  readonly arguments: 0 | 1 | 2;
  readonly xpath: (...names: readonly string[]) => string;
  readonly pattern: RegExp;
};

const NAME = "([^']+)";
const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** `%1` and `%2` are the places of the names. */
function shortcut(word: string, template: string): Shortcut {
  const count = template.includes("%2") ? 2 : template.includes("%1") ? 1 : 0;
  const pattern = new RegExp(`^${literal(template).replace("%1", NAME).replaceAll("%1", "\\1").replace("%2", NAME)}$`);
  return { word, arguments: count, xpath: (first = "", second = "") => template.replaceAll("%1", first).replaceAll("%2", second), pattern };
}

const SHORTCUTS: readonly Shortcut[] = [
  shortcut("meta", "//primitive[@id='%1']/meta_attributes"),
  shortcut("meta", "//primitive[@id='%1']/meta_attributes/nvpair[@name='%2']"),
  shortcut("params", "//primitive[@id='%1']/instance_attributes"),
  shortcut("params", "//primitive[@id='%1']/instance_attributes/nvpair[@name='%2']"),
  shortcut("utilization", "//primitive[@id='%1']/utilization"),
  shortcut("location", "//rsc_location[@id='cli-prefer-%1' and @rsc='%1']"),
  shortcut("property", "//crm_config/cluster_property_set"),
  shortcut("property", "//crm_config/cluster_property_set/nvpair[@name='%1']"),
  shortcut("node", "//nodes/node"),
  shortcut("node", "//nodes/node[@uname='%1']"),
  shortcut("nodeattr", "//nodes/node/instance_attributes"),
  shortcut("nodeattr", "//nodes/node/instance_attributes/nvpair[@name='%1']"),
  shortcut("nodeutil", "//nodes/node/utilization"),
  shortcut("nodeutil", "//nodes/node/utilization[@uname='%1']"),
  shortcut("status", "/cib/status"),
  shortcut("cib", "/cib"),
];

export const SHORTCUT_WORDS: readonly string[] = [...new Set(SHORTCUTS.map((each) => each.word))];

/** The XPath of `meta:web:target-role` and the like; null when there is no such shortcut. */
export function expandShortcut(text: string): string | null {
  const [word = "", ...names] = text.split(":");
  if (names.some((name) => name === "" || name.includes("'"))) return null;
  const found = SHORTCUTS.find((each) => each.word === word.toLowerCase() && each.arguments === names.length);
  return found === undefined ? null : found.xpath(...names);
}

/** The shortcut that stands for exactly this XPath, or null. */
export function findShortcut(xpath: string): string | null {
  for (const each of SHORTCUTS) {
    const match = each.pattern.exec(xpath);
    if (match === null) continue;
    const names = match.slice(1, 1 + each.arguments);
    const text = [each.word, ...names].join(":");
    if (expandShortcut(text) === xpath && !/[\s"=]/.test(text)) return text;
  }
  return null;
}
