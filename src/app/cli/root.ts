import { expectWords, integerOf } from "./arguments.ts";
import { type Command, CommandError, type Level } from "./level.ts";
import { asRecord } from "./store.ts";

/** `status`, loaded when it is asked for: it needs the policy engine's reader. */
const status: Command = {
  name: "status",
  usage: "[bynode|inactive|failcounts|simple|xml] [--json]",
  help: "nodes, resources, failures, fencing: what is, on one page",
  run: async (args, context) => (await import("./status.ts")).statusCommand.run(args, context),
  complete: async (args, context) => (await import("./status.ts")).statusCommand.complete?.(args, context) ?? [],
};

const maintenance: Command = {
  name: "maintenance",
  usage: "on|off [RESOURCE]",
  help: "leave everything, or one resource, as it is",
  run: async (args, context) => {
    expectWords(args, 1, 2, "maintenance on|off [RESOURCE]");
    const [word, resource] = [args[0]!, args[1]];
    if (resource === undefined) {
      await (await import("./node.ts")).setClusterMaintenance(context, word);
      await context.afterChange();
      return true;
    }
    const { resourceLevel } = await import("./resource.ts");
    const command = resourceLevel.commands.find((item) => item.name === "maintenance");
    if (command === undefined) throw new CommandError("maintenance: No such command");
    return command.run([resource, word], context);
  },
  complete: async (args, context) => {
    const { completeBy, completeResources } = await import("./names.ts");
    return completeBy(["on", "off"], completeResources)(args, context);
  },
};

const wait: Command = {
  name: "wait",
  usage: "",
  help: "wait until the cluster has nothing to do",
  run: async (args, context) => {
    expectWords(args, 0, 0, "wait");
    await (await import("./context.ts")).waitIdle(context);
    return true;
  },
};

const watch: Command = {
  name: "watch",
  usage: "[INDEX]",
  help: "print what the cluster decides, as it happens, until interrupted",
  run: async (args, context) => {
    expectWords(args, 0, 1, "watch [INDEX]");
    const params = args[0] === undefined ? {} : { from: integerOf(args[0], "INDEX", 0) };
    for await (const { event, index } of await (await context.api()).watch("watch", params)) {
      const facts = asRecord(event);
      const detail = Object.entries(asRecord(facts["facts"])).map(
        ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
      );
      const at = typeof facts["atMs"] === "number" ? [new Date(facts["atMs"]).toTimeString().slice(0, 8)] : [];
      context.terminal.out(
        [...at, String(index), String(facts["command"] ?? event.kind), String(facts["summary"] ?? ""), ...detail].join("  "),
      );
    }
    return true;
  },
};

/** Loaded when asked for: it needs the whole policy engine. */
const explain: Command = {
  name: "explain",
  usage: "RESOURCE [--node NODE] [--json] [--xml-file FILE]",
  help: "why a resource runs where it does, and the least that would make it run (on NODE)",
  run: async (args, context) => (await import("./explain.ts")).explainCommand.run(args, context),
  complete: async (args, context) => (await import("./names.ts")).completeResources(args, context),
};

/** Loaded when asked for, as `explain` is. */
const blastRadius: Command = {
  name: "blast-radius",
  usage: "[NODE...] [--pairs] [--json] [--xml-file FILE]",
  help: "what would end, move or be fenced if a node failed; every node, and with --pairs every two",
  run: async (args, context) => (await import("./blast-radius.ts")).blastRadiusCommand.run(args, context),
  complete: async (args, context) => (await import("./names.ts")).completeNodes(args, context),
};

/** Loaded when asked for, as `explain` is. */
const plan: Command = {
  name: "plan",
  usage: "[--json]",
  help: "what the cluster would do: with the shadow in use, or as things are",
  run: async (args, context) => (await import("./plan.ts")).planCommand.run(args, context),
};

const verify: Command = {
  name: "verify",
  usage: "",
  help: "check the configuration",
  run: async (args, context) => {
    expectWords(args, 0, 0, "verify");
    const { configureLevel } = await import("./configure.ts");
    return (await configureLevel().runLine?.("verify", context)) === true;
  },
};

/** Loaded when asked for, as `status` is. */
const report: Command = {
  name: "report",
  usage: "[-f FROM] [-t TO] [DEST]",
  help: "collect configuration, status, plan, logs and versions of this node in one archive, without secrets",
  run: async (args, context) => (await import("./report.ts")).reportCommand.run(args, context),
};

/** Where every path of words begins. Levels are loaded when they are entered. */
export function rootLevel(): Level {
  return {
    name: "",
    help: "levels and commands; `help WORD` says more",
    commands: [status, explain, plan, blastRadius, verify, maintenance, wait, watch, report],
    levels: [
      {
        name: "configure",
        help: "the configuration: what there is, where it may run, how it belongs together",
        load: async () => (await import("./configure.ts")).configureLevel(),
      },
      {
        name: "cluster",
        help: "form, enter, leave and look after the cluster",
        load: async () => (await import("./cluster.ts")).clusterLevel,
      },
      { name: "quorum", aliases: ["corosync"], help: "votes and members", load: async () => (await import("./cluster.ts")).quorumLevel },
      { name: "node", help: "nodes of the cluster", load: async () => (await import("./node.ts")).nodeLevel },
      { name: "resource", help: "resources: whether and where they run", load: async () => (await import("./resource.ts")).resourceLevel },
      {
        name: "cib",
        help: "shadow configurations: try changes without touching the cluster",
        load: async () => (await import("./shadow.ts")).cibLevel,
      },
      {
        name: "cibstatus",
        help: "the state that simulations start from: load one, suppose events, see what would follow",
        load: async () => (await import("./cibstatus.ts")).cibStatusLevel,
      },
      {
        name: "options",
        help: "preferences: editor, pager, colours, what is asked and what is checked",
        load: async () => (await import("./preferences-level.ts")).preferencesLevel,
      },
      { name: "ra", help: "agents that are installed on this machine", load: async () => (await import("./ra.ts")).raLevel },
    ],
  };
}
