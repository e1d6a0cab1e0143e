import type { Element } from "../../core/cib/index.ts";
import { parseArguments } from "./arguments.ts";
import { type Command, CommandError } from "./level.ts";
import { renderStatus } from "./status-text.ts";
import { asRecord } from "./store.ts";
import { allResources } from "./view.ts";
import { viewOf } from "./view-read.ts";

const WORDS = new Set(["bynode", "inactive", "failcounts", "xml", "simple", "full", "brief", "detail"]);
const USAGE = "status [bynode|inactive|failcounts|simple|xml] [--json]";

/** `status` at the root: one page about everything, or the same as data. */
export const statusCommand: Command = {
  name: "status",
  usage: USAGE.slice("status ".length),
  help: "nodes, resources, failures, fencing: what is, on one page",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { json: "flag" }, USAGE);
    for (const word of words) if (!WORDS.has(word)) throw new CommandError(`status: ${word}: unknown; usage: ${USAGE}`);
    const answer = asRecord(await (await context.api()).request("status"));
    const view = await viewOf(answer);
    const { cib, ...facts } = answer;
    const { terminal } = context;
    if (flag("json")) {
      terminal.out(
        JSON.stringify(
          { ...facts, resources: view.resources, failures: view.failures, failCounts: view.failCounts, policyNodes: view.nodes },
          null,
          2,
        ),
      );
    } else if (words.includes("xml")) {
      const { formatXml } = await import("../../io/xml/index.ts");
      terminal.write(formatXml(cib as Element));
    } else if (words.includes("simple")) {
      const rows = Array.isArray(answer["nodes"]) ? answer["nodes"].map(asRecord) : [];
      const online = rows.filter((row) => row["state"] === "online").length;
      const primitives = [...allResources(view.resources)].filter((item) => item.kind === "primitive");
      const ok = answer["quorate"] === true && online === rows.length && view.failures.length === 0;
      terminal.out(
        `CLUSTER ${ok ? "OK" : "WARN"}: ${online} of ${rows.length} nodes online, ${primitives.length} resource instances configured`,
      );
    } else {
      const full = words.includes("full") || words.includes("detail");
      const wish = {
        byNode: words.includes("bynode"),
        inactive: words.includes("inactive") || full,
        failCounts: words.includes("failcounts") || full,
      };
      for (const line of renderStatus(answer, view, wish)) terminal.out(line);
    }
    return true;
  },
  complete: async () => [...WORDS].map((word) => ({ word })),
};
