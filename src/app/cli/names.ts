import { attributeOf, childrenOf } from "../../core/cib/index.ts";
import { resourceIds, sectionOf } from "./edits.ts";
import type { CliContext, Command, Completion } from "./level.ts";
import { asRecord, openStore } from "./store.ts";

/** Names of the configured nodes. */
export async function nodeNames(context: CliContext): Promise<string[]> {
  const { configuration } = await openStore(context).read();
  return childrenOf(sectionOf(configuration, "nodes"), "node").map((node) => attributeOf(node, "uname") ?? attributeOf(node, "id") ?? "");
}

/** The node whose daemon answers. */
export async function localNode(context: CliContext): Promise<string> {
  return String(asRecord(await (await context.api()).request("ping"))["node"]);
}

export async function completeNodes(_args: readonly string[], context: CliContext): Promise<readonly Completion[]> {
  return (await nodeNames(context)).map((word) => ({ word }));
}

/** Completion by position: each entry says what the word at its place may be; the last also serves what follows. */
export function completeBy(...places: readonly (Complete | readonly string[])[]): Complete {
  return async (args, context) => {
    const place = places[Math.min(Math.max(args.length, 1), places.length) - 1] ?? [];
    return typeof place === "function" ? place(args, context) : place.map((word) => ({ word }));
  };
}

type Complete = NonNullable<Command["complete"]>;

export async function completeResources(_args: readonly string[], context: CliContext): Promise<readonly Completion[]> {
  const { configuration } = await openStore(context).read();
  return resourceIds(configuration).map((word) => ({ word }));
}
