import { spawn } from "node:child_process";
import { parseArguments } from "./arguments.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { localNode } from "./names.ts";
import { asRecord } from "./store.ts";

/** The units of a node, in the order in which they start (scripts/*.service). */
const UNITS = ["quorate-guardian.service", "quorated.service"];

/** Seconds for which a restart of the daemon is announced to the cluster. */
const RESTART_GRACE_SECONDS = 60;

/** Milliseconds between two looks at a daemon that starts. */
const STARTUP_LOOK_MS = 200;

/** Waits until this host's daemon is a member of a quorate cluster. Throws why not when the time is over. */
export async function untilQuorate(context: CliContext, timeoutMs: number): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      const answer = asRecord(await (await context.api()).request("status"));
      if (answer["quorate"] === true) return;
    } catch (error) {
      if (performance.now() >= untilMs) throw error;
    }
    if (performance.now() >= untilMs) throw new CommandError("the daemon is up, and knows no quorum yet; see `cluster status`");
    await new Promise((resolve) => setTimeout(resolve, STARTUP_LOOK_MS));
  }
}

/** Runs systemctl on this host; its words are the message when it fails. */
async function systemctl(args: readonly string[]): Promise<void> {
  const text = await new Promise<string | null>((resolve, reject) => {
    const child = spawn("systemctl", args, { stdio: ["ignore", "inherit", "pipe"] });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on("error", () => reject(new CommandError("systemctl is not there: start quorate-guardian and quorated by hand")));
    child.on("close", (code) => resolve(code === 0 ? null : errors.trim() || `systemctl ended with ${code}`));
  });
  if (text !== null) throw new CommandError(text);
}

/** These act on this host only: there is no remote shell between the nodes, on purpose. */
async function refuseOthers(words: readonly string[], context: CliContext): Promise<void> {
  for (const word of words) {
    if (word !== (await localNode(context))) throw new CommandError(`run it on ${word}: nodes do not start each other`);
  }
}

function serviceCommand(name: "start" | "enable" | "disable", help: string): Command {
  return {
    name,
    usage: "",
    help,
    run: async (args, context) => {
      const { words } = parseArguments(args, {}, name);
      await refuseOthers(words, context);
      await systemctl([name, ...UNITS]);
      return true;
    },
  };
}

const restart: Command = {
  name: "restart",
  usage: "",
  help: "restart this host's daemon; resources stay with the guardian",
  run: async (args, context) => {
    const { words } = parseArguments(args, {}, "restart");
    await refuseOthers(words, context);
    const api = await context.api();
    const isMember = asRecord(await api.request("ping"))["phase"] === "member";
    if (isMember) await api.request("node.detach", { seconds: RESTART_GRACE_SECONDS });
    await systemctl(["restart", "quorated.service"]);
    if (isMember) await untilQuorate(context, RESTART_GRACE_SECONDS * 1000);
    return true;
  },
};

/** Commands that act on the services of this host. */
export const serviceCommands: readonly Command[] = [
  serviceCommand("start", "start guardian and daemon on this host"),
  restart,
  serviceCommand("enable", "start guardian and daemon when this host boots"),
  serviceCommand("disable", "do not start them when this host boots"),
];
