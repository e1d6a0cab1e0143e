import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { attributeOf, childrenOf, type Element } from "../../core/cib/index.ts";
import { type CrmObject, durationMs, findObject, nodeNames } from "../../core/crm/index.ts";
import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";
import { AgentRunner, OCF } from "../../io/agents/index.ts";
import { agentDirectories } from "./agent-metadata.ts";
import { textOf } from "./edits.ts";
import { type CliContext, CommandError } from "./level.ts";
import { localNode } from "./names.ts";
import { runningResources } from "./running.ts";
import { liveStore } from "./store.ts";

/** For operations that say nothing about it (milliseconds). */
const TIMEOUT_MS = 60_000;

const CLASSES: readonly AgentAction["agentClass"][] = ["ocf", "systemd", "lsb", "service", "stonith"];

/** A primitive as its agent is to be called. `promotable`: it stands in a promotable clone. */
type Tested = {
  readonly id: string;
  readonly agent: Pick<AgentAction, "agentClass" | "provider" | "type">;
  readonly params: Readonly<Record<string, string>>;
  readonly timeouts: ReadonlyMap<string, number>;
  readonly promotable: boolean;
};

/** Reads a primitive with the values of its template. Rules and references are refused: only the policy engine can decide about them. */
function readTested(configuration: Element, id: string, command: string): Tested {
  const object = findObject(configuration, id);
  if (object?.type !== "primitive") throw new CommandError(`${command}: there is no primitive '${id}'`);
  const template = findObject(configuration, attributeOf(object.element, "template") ?? "")?.element;
  const layers = template === undefined ? [object.element] : [template, object.element];
  const of = template ?? object.element;
  const agentClass = CLASSES.find((each) => each === attributeOf(of, "class"));
  if (agentClass === undefined) throw new CommandError(`${command}: agents of class ${attributeOf(of, "class")} cannot be run`);
  const params: Record<string, string> = {};
  const timeouts = new Map<string, number>();
  for (const layer of layers) {
    for (const set of childrenOf(layer, "instance_attributes")) {
      const pairs = childrenOf(set, "nvpair");
      const isPlain = set.children.every((child) => child.name !== "rule") && attributeOf(set, "id-ref") === undefined;
      if (!isPlain || pairs.some((pair) => attributeOf(pair, "id-ref") !== undefined))
        throw new CommandError(`${command}: ${id} has parameters with rules or references`);
      for (const pair of pairs) params[attributeOf(pair, "name") ?? ""] ??= attributeOf(pair, "value") ?? "";
    }
    for (const op of childrenOf(layer, "operations").flatMap((holder) => childrenOf(holder, "op"))) {
      const timeout = durationMs(attributeOf(op, "timeout") ?? "");
      if (timeout !== null) timeouts.set(attributeOf(op, "name") ?? "", timeout);
    }
  }
  const promotable = around(object).some(
    (each) => each.name === "master" || textOf(each, "meta_attributes", "promotable")?.toLowerCase() === "true",
  );
  const agent = { agentClass, provider: attributeOf(of, "provider") ?? null, type: attributeOf(of, "type") ?? "" };
  return { id, agent, params, timeouts, promotable };
}

/** A resource and its containers. */
function around(object: CrmObject): Element[] {
  return object.parent === null ? [object.element] : [object.element, ...around(object.parent)];
}

/** Runs operations of agents on this host, outside the cluster. */
class HostRunner {
  readonly #directory = mkdtempSync(join(tmpdir(), "quorate-rsctest-"));
  readonly #node: string;
  readonly #runner: AgentRunner;

  constructor(node: string) {
    this.#node = node;
    const places = agentDirectories();
    this.#runner = new AgentRunner({
      ocfRoot: places.ocfRoot,
      providers: Object.fromEntries(places.providers),
      fenceDirectories: places.fence,
      initDirectory: "/etc/init.d",
      systemdDirectory: "/run/systemd/system",
      temporaryDirectory: this.#directory,
      inherited: process.env,
      extra: {},
      markers: {},
      cgroups: null,
    });
  }

  run(tested: Tested, operation: string): Promise<AgentOutcome> {
    const { id: resource, agent, params } = tested;
    const timeoutMs = tested.timeouts.get(operation) ?? TIMEOUT_MS;
    const action = { resource, ...agent, operation, intervalMs: 0, timeoutMs, params, meta: {}, node: this.#node, target: null };
    return this.#runner.start(action, { spawned: () => {} }).outcome;
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function describe(outcome: AgentOutcome): string {
  switch (outcome.kind) {
    case "exited":
      return `ended with ${outcome.code}${outcome.reason === null ? "" : ` (${outcome.reason})`}`;
    case "timed-out":
      return "did not end in time";
    case "not-started":
      return `could not be run: ${outcome.reason}`;
    case "cancelled":
      return "was cancelled";
  }
}

function gave(outcome: AgentOutcome, code: number): boolean {
  return outcome.kind === "exited" && outcome.code === code;
}

async function hostNode(context: CliContext): Promise<string> {
  if (context.options.cibFile !== null) return hostname();
  return localNode(context);
}

/** `validate-all RSC`: the agent's own opinion of its parameters, on this node. */
export async function validateAll(configuration: Element, words: readonly string[], context: CliContext): Promise<boolean> {
  if (words.length !== 1) throw new CommandError("validate-all: expected RSC");
  const tested = readTested(configuration, words[0]!, "validate-all");
  const runner = new HostRunner(await hostNode(context));
  try {
    const outcome = await runner.run(tested, "validate-all");
    if (outcome.kind === "exited" && outcome.output !== "") context.terminal.out(outcome.output.trimEnd());
    if (gave(outcome, OCF.ok)) return true;
    if (gave(outcome, OCF.unimplemented)) throw new CommandError(`validate-all: the agent of ${tested.id} cannot validate`);
    throw new CommandError(`validate-all: the agent of ${tested.id} ${describe(outcome)}`);
  } finally {
    runner.close();
  }
}

/**
 * `rsctest RSC… [NODE]`: probes, starts, monitors and stops resources on this node as they are configured now, the later
 * ones while the earlier run. A resource that the cluster runs or may start is refused: it would run twice.
 */
export async function testResources(configuration: Element, words: readonly string[], context: CliContext): Promise<boolean> {
  const nodes = new Set(nodeNames(configuration));
  const ids = words.filter((word) => !nodes.has(word) || findObject(configuration, word)?.type === "primitive");
  if (ids.length === 0) throw new CommandError("rsctest: expected RSC… [NODE]");
  const tested = ids.map((id) => readTested(configuration, id, "rsctest"));
  const node = await hostNode(context);
  const elsewhere = words.find((word) => !ids.includes(word) && word !== node);
  if (elsewhere !== undefined)
    throw new CommandError(`rsctest: agents are run on this node (${node}); run it on ${elsewhere} for that one`);
  if (context.options.cibFile === null) await refuseRunning(tested, context);
  const runner = new HostRunner(node);
  try {
    return await runTests(runner, tested, context);
  } finally {
    runner.close();
  }
}

/** Refuses what the cluster has running, or would start as soon as it likes. */
async function refuseRunning(tested: readonly Tested[], context: CliContext): Promise<void> {
  const { configuration, status } = await liveStore(context).read();
  const running = runningResources(status);
  for (const { id } of tested) {
    if (running.has(id)) throw new CommandError(`rsctest: ${id} is running; stop it first`);
    const known = findObject(configuration, id);
    if (known === undefined) continue;
    const stopped = around(known).some((each) => textOf(each, "meta_attributes", "target-role")?.toLowerCase() === "stopped");
    if (!stopped) throw new CommandError(`rsctest: the cluster may start ${id}; \`resource stop ${id}\` first`);
  }
}

type Step = { readonly operation: string; readonly expected: number };

function upSteps(tested: Tested): readonly Step[] {
  const monitor = { operation: "monitor", expected: OCF.ok };
  if (tested.agent.agentClass === "stonith") return [monitor];
  const up = [{ operation: "monitor", expected: OCF.notRunning }, { operation: "start", expected: OCF.ok }, monitor];
  const promoted = [
    { operation: "promote", expected: OCF.ok },
    { operation: "monitor", expected: OCF.runningPromoted },
  ];
  return tested.promotable ? [...up, ...promoted] : up;
}

function downSteps(tested: Tested): readonly Step[] {
  if (tested.agent.agentClass === "stonith") return [];
  const down = [
    { operation: "stop", expected: OCF.ok },
    { operation: "monitor", expected: OCF.notRunning },
  ];
  return tested.promotable ? [{ operation: "demote", expected: OCF.ok }, ...down] : down;
}

async function runTests(runner: HostRunner, tested: readonly Tested[], context: CliContext): Promise<boolean> {
  const { terminal } = context;
  const perform = async (each: Tested, { operation, expected }: Step): Promise<boolean> => {
    const outcome = await runner.run(each, operation);
    const fine = gave(outcome, expected);
    if (fine) terminal.out(`${each.id}: ${operation}: ok`);
    else terminal.error(`${each.id}: ${operation} ${describe(outcome)}, expected ${expected}`);
    return fine;
  };
  const started: Tested[] = [];
  let ok = true;
  for (const each of tested) {
    for (const [index, step] of upSteps(each).entries()) {
      // What a start began has to be stopped, whatever the start said; what a probe found running is not ours to stop.
      if (step.operation === "start") started.unshift(each);
      ok = ok && (await perform(each, step));
      if (!ok && index === 0) break;
    }
    if (!ok) break;
  }
  for (const each of started) for (const step of downSteps(each)) if (!(await perform(each, step))) ok = false;
  return ok;
}
