import type { Proposal } from "../../core/cib/index.ts";

const texts = new WeakMap<Proposal, string>();

/** JSON of a proposal, made once: the same object passes many members and watchers. */
export function textOf(proposal: Proposal): string {
  let text = texts.get(proposal);
  if (text === undefined) {
    text = JSON.stringify(proposal);
    texts.set(proposal, text);
  }
  return text;
}
