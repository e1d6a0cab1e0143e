import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentAction, AgentOutcome } from "../../src/core/ports/index.ts";
import { type AgentRun, AgentRunner } from "../../src/io/agents/index.ts";

/** A start of `ocf:test:agent` on n1, but for `over`. */
export function actionOf(over: Partial<AgentAction> = {}): AgentAction {
  return {
    resource: "r",
    agentClass: "ocf",
    provider: "test",
    type: "agent",
    operation: "start",
    intervalMs: 0,
    timeoutMs: 20_000,
    params: {},
    meta: {},
    node: "n1",
    target: null,
    ...over,
  };
}

/** A runner that finds agents of every kind in `place` only, and further OCF providers where `providers` says. */
export function runnerAt(place: string, providers: Readonly<Record<string, string>> = {}): AgentRunner {
  return new AgentRunner({
    ocfRoot: "/nonexistent",
    providers: { test: place, ...providers },
    fenceDirectories: [place],
    initDirectory: place,
    systemdDirectory: join(place, "no-systemd"),
    temporaryDirectory: place,
    inherited: process.env,
    extra: {},
    markers: {},
    cgroups: null,
  });
}

export function writeAgent(place: string, name: string, lines: string): void {
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, name), `#!/bin/sh\n${lines}\n`);
  chmodSync(join(place, name), 0o755);
}

export type Ran = { readonly outcome: AgentOutcome; readonly pid: number };

/** Runs an action to its end; `begun` is told of the run when its process is there. */
export async function ran(runner: AgentRunner, action: AgentAction, begun: (run: AgentRun) => void = () => {}): Promise<Ran> {
  let pid = 0;
  const run = runner.start(action, {
    spawned: (process) => {
      pid = process.pid;
      setImmediate(() => begun(run));
    },
  });
  return { outcome: await run.outcome, pid };
}
