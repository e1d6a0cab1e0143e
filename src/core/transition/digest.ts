const LEFT_OUT = new Set(["id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip"]);
const META_PREFIX = "CRM_meta_";
const META_TIMEOUT = "CRM_meta_timeout";

/** Only these pairs, or all pairs but these. */
export type DigestFilter = { readonly only: ReadonlySet<string> } | { readonly without: ReadonlySet<string> };

/**
 * The text whose MD5 is the digest of a set of parameters (status description 20.1): an element `parameters` with the
 * pairs as attributes in code-unit order. A recurring operation passes its timeout as `CRM_meta_timeout`; other meta
 * pairs and the names that say nothing about the agent's work are left out. A restart digest filters with `only`, a
 * secure one with `without`.
 */
export function parametersDigestText(params: Readonly<Record<string, string>>, filter?: DigestFilter): string {
  const names = Object.keys(params).filter((name) => counts(name) && passes(name, filter));
  names.sort();
  let text = " <parameters";
  for (const name of names) text += ` ${name}="${escapeValue(params[name] ?? "")}"`;
  return `${text}/>\n`;
}

function counts(name: string): boolean {
  return !LEFT_OUT.has(name) && (!name.startsWith(META_PREFIX) || name === META_TIMEOUT);
}

function passes(name: string, filter: DigestFilter | undefined): boolean {
  if (filter === undefined) return true;
  return "only" in filter ? filter.only.has(name) : !filter.without.has(name);
}

function escapeValue(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped here.
  return value.replace(/[<>&"\u0000-\u001f]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  switch (character) {
    case "<":
      return "&lt;";
    case ">":
      return "&gt;";
    case "&":
      return "&amp;";
    case '"':
      return "&quot;";
    default:
      return `&#x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")};`;
  }
}
