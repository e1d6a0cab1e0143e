import { attributeOf, childrenOf, type Element, idOf } from "../../core/cib/index.ts";
import { booleanOf, expectWords } from "./arguments.ts";
import { waitIdle } from "./context.ts";
import { editsBetween, mapResource, requireResource, type SetKind, setValue, textOf } from "./edits.ts";
import { type CliContext, type Command, CommandError, type Level } from "./level.ts";
import { completeBy, completeResources } from "./names.ts";
import { preference } from "./preferences.ts";
import { dropMeta, isPromotable, membersThatDiffer, setMeta, setTrace, wishTarget } from "./resource-edits.ts";
import { placementCommands } from "./resource-place.ts";
import { queryCommands } from "./resource-queries.ts";
import { openStore } from "./store.ts";

/** Reads, changes and commits the configuration; `-w` waits after it. */
export async function editConfiguration(context: CliContext, change: (configuration: Element) => Element): Promise<void> {
  const store = openStore(context);
  const { configuration } = await store.read();
  await store.commit(editsBetween(configuration, change(configuration)), context.options.force);
  await context.afterChange();
}

/** What a command about several resources writes: `name`, where `other` would contradict it. */
type MetaWish = { readonly name: string; readonly value: string; readonly other?: string };

/**
 * Sets the attribute on every resource. A person is asked about members with another value of their own, and about a
 * contradicting attribute; without a person both stay, because that is what was written on purpose.
 */
async function setWish(context: CliContext, ids: readonly string[], wish: MetaWish): Promise<void> {
  const { name, value, other } = wish;
  const { configuration } = await openStore(context).read();
  const dropped: { readonly id: string; readonly name: string }[] = [];
  for (const id of ids) {
    for (const member of membersThatDiffer(configuration, id, name, value)) {
      if (await dropsOwn(context, `${member} has its own ${name}, which would stay. Remove it`)) dropped.push({ id: member, name });
    }
    const target = wishTarget(configuration, id);
    if (other !== undefined && textOf(target, "meta_attributes", other) !== undefined) {
      const targetId = idOf(target) ?? id;
      if (await context.terminal.confirm(`${targetId} has ${other} too. Remove it`, false)) dropped.push({ id: targetId, name: other });
    }
  }
  await editConfiguration(context, (now) => {
    const set = ids.reduce((next, id) => setMeta(next, id, name, value), now);
    return dropped.reduce((next, each) => dropMeta(next, each.id, each.name), set);
  });
}

/** What members say of their own: `manage_children` decides, or the person. */
async function dropsOwn(context: CliContext, question: string): Promise<boolean> {
  const manage = preference(context.preferences, "core.manage_children");
  return manage === "ask" ? context.terminal.confirm(question, false) : manage === "always";
}

/** A command that sets one meta-attribute on each resource that is named. */
function metaCommand(name: string, help: string, wish: MetaWish): Command {
  return {
    name,
    usage: "RESOURCE...",
    help,
    run: async (args, context) => {
      if (args.length === 0) throw new CommandError(`usage: ${name} RESOURCE...`);
      await setWish(context, args, wish);
      return true;
    },
    complete: completeResources,
  };
}

/** `promote` and `demote` are for clones whose instances have roles: elsewhere the value would stop the resource for ever. */
function roleCommand(name: "promote" | "demote", help: string, role: string): Command {
  const command = metaCommand(name, help, { name: "target-role", value: role });
  return {
    ...command,
    run: async (args, context) => {
      const { configuration } = await openStore(context).read();
      const wrong = args.find((id) => !isPromotable(requireResource(configuration, id)));
      if (wrong !== undefined) throw new CommandError(`${wrong} is no promotable clone`);
      return command.run(args, context);
    },
  };
}

const maintenance: Command = {
  name: "maintenance",
  usage: "RESOURCE [on|off]",
  help: "leave the resource as it is: no monitors, no recovery",
  run: async (args, context) => {
    expectWords(args, 1, 2, "maintenance RESOURCE [on|off]");
    const on = booleanOf(args[1] ?? "on");
    if (on === undefined) throw new CommandError("usage: maintenance RESOURCE [on|off]");
    await setWish(context, [args[0]!], { name: "maintenance", value: String(on), other: "is-managed" });
    return true;
  },
  complete: completeBy(completeResources, ["on", "off"]),
};

const restart: Command = {
  name: "restart",
  usage: "RESOURCE...",
  help: "stop, wait, start again, wait",
  run: async (args, context) => {
    if (args.length === 0) throw new CommandError("usage: restart RESOURCE...");
    const store = openStore(context);
    if (!store.live) throw new CommandError("restart needs a running cluster");
    const before = (await store.read()).configuration;
    const roles = args.map((word) => {
      const target = wishTarget(before, word);
      return { id: idOf(target) ?? word, role: textOf(target, "meta_attributes", "target-role") ?? null };
    });
    for (const { id, role } of roles) if (role === "Stopped") throw new CommandError(`${id} is stopped: there is nothing to restart`);
    const dot = (): void => context.terminal.write(context.terminal.interactive ? "." : "");
    const put = async (role: (of: { id: string; role: string | null }) => string | null): Promise<void> => {
      const { configuration } = await store.read();
      const after = roles.reduce(
        (next, item) => mapResource(next, item.id, (resource) => setValue(resource, "meta_attributes", "target-role", role(item))),
        configuration,
      );
      await store.commit(editsBetween(configuration, after), context.options.force);
      await waitIdle(context, dot);
    };
    await put(() => "Stopped").catch((error: unknown) => {
      const ids = roles.map(({ id }) => id).join(" ");
      if (context.interrupted) throw new CommandError(`interrupted: ${ids} may be stopped now; \`resource start ${ids}\` starts again`);
      throw error;
    });
    // What was configured comes back as it was, not as `Started`: the operator did not ask for another configuration.
    await put((item) => item.role);
    return true;
  },
  complete: completeResources,
};

/** `param R set A V | delete A | show A`, and the same for meta and utilization. */
function pairCommand(name: "param" | "meta" | "utilization", kind: SetKind): Command {
  const usage = `${name} RESOURCE set NAME VALUE | delete NAME | show NAME`;
  return {
    name,
    usage: usage.slice(name.length + 1),
    help: `set, delete or show one ${name === "param" ? "parameter" : name === "meta" ? "meta-attribute" : "utilization value"}`,
    run: async (args, context) => {
      expectWords(args, 3, 4, usage);
      const [id, action, attribute, value] = [args[0]!, args[1]!, args[2]!, args[3]];
      if ((action === "set") !== (value !== undefined) || !["set", "delete", "show"].includes(action))
        throw new CommandError(`usage: ${usage}`);
      if (action === "show") {
        const { configuration } = await openStore(context).read();
        const found = textOf(requireResource(configuration, id), kind, attribute);
        // Not being set is an answer, and no failure.
        if (found === undefined) context.terminal.info(`${id} has no ${name} ${attribute}`);
        else context.terminal.out(found);
        return true;
      }
      await editConfiguration(context, (configuration) => {
        const resource =
          action === "set" && kind === "meta_attributes" ? wishTarget(configuration, id) : requireResource(configuration, id);
        return mapResource(configuration, idOf(resource) ?? id, (item) => setValue(item, kind, attribute, value ?? null));
      });
      return true;
    },
    complete: completeBy(completeResources, ["set", "delete", "show"], completePairNames(kind), []),
  };
}

/** Names that the resource has in such a set, or may have. */
function completePairNames(kind: SetKind): NonNullable<Command["complete"]> {
  return async (args, context) => {
    const { configuration } = await openStore(context).read();
    const resource = requireResource(configuration, args[0] ?? "");
    const own = childrenOf(resource, kind).flatMap((set) => childrenOf(set, "nvpair").map((pair) => attributeOf(pair, "name") ?? ""));
    const more = kind === "meta_attributes" ? await metaNames() : kind === "instance_attributes" ? await parameterNames(resource) : [];
    return [...new Set([...own, ...more])].map((word) => ({ word }));
  };
}

async function metaNames(): Promise<readonly string[]> {
  const { CLONE_HELP, META_HELP } = await import("./complete-words.ts");
  return [...META_HELP, ...CLONE_HELP].map(({ name }) => name);
}

async function parameterNames(resource: Element): Promise<readonly string[]> {
  const { openAgentCatalog } = await import("./agent-metadata.ts");
  const [agentClass, type] = [attributeOf(resource, "class"), attributeOf(resource, "type")];
  if (agentClass === undefined || type === undefined) return [];
  const answer = openAgentCatalog().describe({ class: agentClass, provider: attributeOf(resource, "provider") ?? null, type });
  return answer.kind === "found" ? answer.metadata.parameters.map(({ name }) => name) : [];
}

/** Operations that people trace. */
const TRACED = ["start", "stop", "monitor", "promote", "demote", "notify", "migrate_to", "migrate_from", "reload-agent"];

function traceCommand(name: "trace" | "untrace"): Command {
  const usage = name === "trace" ? "trace RESOURCE [OPERATION [INTERVAL [DIRECTORY]]]" : "untrace RESOURCE [OPERATION [INTERVAL]]";
  return {
    name,
    usage: usage.slice(name.length + 1),
    help: name === "trace" ? "let agents write what they do" : "end the tracing",
    run: async (args, context) => {
      expectWords(args, 1, name === "trace" ? 4 : 3, usage);
      const wish = { operation: args[1] ?? null, interval: args[2] ?? null, directory: args[3] ?? null, on: name === "trace" };
      await editConfiguration(context, (configuration) => setTrace(configuration, args[0]!, wish));
      return true;
    },
    complete: completeBy(completeResources, TRACED),
  };
}

/** Resources: whether and where they run. */
export const resourceLevel: Level = {
  name: "resource",
  help: "resources: whether and where they run",
  commands: [
    ...queryCommands,
    metaCommand("start", "let it run", { name: "target-role", value: "Started" }),
    metaCommand("stop", "stop it and keep it stopped", { name: "target-role", value: "Stopped" }),
    restart,
    roleCommand("promote", "let instances be promoted", "Promoted"),
    roleCommand("demote", "keep all instances unpromoted", "Unpromoted"),
    metaCommand("manage", "let the cluster manage it", { name: "is-managed", value: "true", other: "maintenance" }),
    metaCommand("unmanage", "watch it only", { name: "is-managed", value: "false", other: "maintenance" }),
    maintenance,
    ...placementCommands,
    pairCommand("param", "instance_attributes"),
    pairCommand("meta", "meta_attributes"),
    pairCommand("utilization", "utilization"),
    traceCommand("trace"),
    traceCommand("untrace"),
  ],
  levels: [],
};
