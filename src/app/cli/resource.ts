import type { Element } from "../../core/cib/index.ts";
import { booleanOf, expectWords } from "./arguments.ts";
import { waitIdle } from "./context.ts";
import { editsBetween, mapResource, requireResource, type SetKind, setValue, textOf } from "./edits.ts";
import { type CliContext, type Command, CommandError, type Level } from "./level.ts";
import { completeResources } from "./names.ts";
import { setMeta, setMetaInsteadOf, setTrace } from "./resource-edits.ts";
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

/** A command that sets one meta-attribute on each resource that is named. */
function metaCommand(name: string, help: string, meta: string, value: string, instead?: string): Command {
  return {
    name,
    usage: "RESOURCE...",
    help,
    run: async (args, context) => {
      if (args.length === 0) throw new CommandError(`usage: ${name} RESOURCE...`);
      await editConfiguration(context, (configuration) =>
        args.reduce(
          (next, id) => (instead === undefined ? setMeta(next, id, meta, value) : setMetaInsteadOf(next, id, meta, value, instead)),
          configuration,
        ),
      );
      return true;
    },
    complete: completeResources,
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
    await editConfiguration(context, (configuration) => setMetaInsteadOf(configuration, args[0]!, "maintenance", String(on), "is-managed"));
    return true;
  },
  complete: completeResources,
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
    const roles = args.map((id) => ({ id, role: textOf(requireResource(before, id), "meta_attributes", "target-role") ?? null }));
    for (const { id, role } of roles) if (role === "Stopped") throw new CommandError(`${id} is stopped: there is nothing to restart`);
    const dot = (): void => context.terminal.write(context.terminal.interactive ? "." : "");
    const put = async (role: (of: { id: string; role: string | null }) => string | null): Promise<void> => {
      const { configuration } = await store.read();
      const after = roles.reduce((next, item) => setMeta(next, item.id, "target-role", role(item)), configuration);
      await store.commit(editsBetween(configuration, after), context.options.force);
      await waitIdle(context, dot);
    };
    await put(() => "Stopped");
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
        if (found === undefined) throw new CommandError(`${id} has no ${name} ${attribute}`);
        context.terminal.out(found);
        return true;
      }
      await editConfiguration(context, (configuration) => {
        const resource = requireResource(configuration, id);
        if (action === "delete" && textOf(resource, kind, attribute) === undefined)
          throw new CommandError(`${id} has no ${name} ${attribute}`);
        return mapResource(configuration, id, (item) => setValue(item, kind, attribute, value ?? null));
      });
      return true;
    },
    complete: completeResources,
  };
}

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
    complete: completeResources,
  };
}

/** Resources: whether and where they run. */
export const resourceLevel: Level = {
  name: "resource",
  help: "resources: whether and where they run",
  commands: [
    ...queryCommands,
    metaCommand("start", "let it run", "target-role", "Started"),
    metaCommand("stop", "stop it and keep it stopped", "target-role", "Stopped"),
    restart,
    metaCommand("promote", "let instances be promoted", "target-role", "Promoted"),
    metaCommand("demote", "keep all instances unpromoted", "target-role", "Unpromoted"),
    metaCommand("manage", "let the cluster manage it", "is-managed", "true", "maintenance"),
    metaCommand("unmanage", "watch it only", "is-managed", "false", "maintenance"),
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
