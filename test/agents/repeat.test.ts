import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, it } from "node:test";
import type { AgentAction } from "../../src/core/ports/index.ts";
import { type AgentRun, groupMembers, isAlive, listProcesses } from "../../src/io/agents/index.ts";
import { actionOf, type Ran, ran as ranBy, runnerAt, writeAgent } from "./support.ts";

const place = mkdtempSync(join(tmpdir(), "qr-"));
after(() => rmSync(place, { recursive: true, force: true }));

const runner = runnerAt(place);
const RECURRING = { operation: "monitor", intervalMs: 10_000 } as const;

/** The agent of these tests: `monitor` is what the test says, everything else succeeds. */
const agent = (monitor: string): void => writeAgent(place, "agent", `[ "$1" = monitor ] || exit 0\n${monitor}`);

const ran = (over: Partial<AgentAction>, begun?: (run: AgentRun) => void): Promise<Ran> =>
  ranBy(runner, actionOf({ ...RECURRING, ...over }), begun);

const lines = (name: string): string[] => readFileSync(join(place, name), "utf8").trim().split("\n");

async function isGone(pid: number): Promise<void> {
  while (listProcesses().some((info) => info.pid === pid)) await new Promise((resolve) => setImmediate(resolve));
}

describe("recurring monitors", () => {
  // What is done to the resource ends its waiting shell, and with it what keeps this process alive.
  afterEach(async () => {
    await ran({ operation: "stop", intervalMs: 0 });
  });

  it("run in one shell, each with its own code, reason and output", async () => {
    agent(`
      n=$(cat ${place}/turn); echo $((n + 1)) >${place}/turn
      case $n in
        1) echo "ocf-exit-reason:first" >&2; exit 1 ;;
        2) exit 0 ;;
        3) i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; exit 7 ;;
        4) exit 190 ;;
      esac`);
    writeFileSync(join(place, "turn"), "1\n");
    const all: Ran[] = [];
    for (let turn = 1; turn <= 4; turn += 1) all.push(await ran({}));
    const told = all.map(({ outcome }) => outcome.kind === "exited" && [outcome.code, outcome.reason, outcome.output.slice(-9)]);
    assert.deepEqual(told, [
      [1, "first", "on:first\n"],
      [0, null, ""],
      [7, null, "line 299\n"],
      [190, null, ""],
    ]);
    assert.equal(new Set(all.map(({ pid }) => pid)).size, 1);
  });

  it("the agent has no part in the shell's line", async () => {
    agent(`ls /proc/$$/fd >${place}/fds; readlink /proc/$$/fd/0 >>${place}/fds; exit 0`);
    await ran({});
    assert.ok(!lines("fds").includes("3"), `the agent has ${lines("fds").join(" ")}`);
    assert.equal(lines("fds").at(-1), "/dev/null");
  });

  it("an agent that a signal ends has failed", async () => {
    agent("kill -SEGV $$");
    const { outcome } = await ran({});
    assert.deepEqual(outcome.kind === "exited" && [outcome.code, outcome.reason], [1, "the agent was killed by SIGSEGV"]);
  });

  it("a timeout ends the whole group, and the next run has a new shell", async () => {
    agent(`[ -e ${place}/well ] && exit 0; trap '' TERM; (trap '' TERM; sleep 1000) & sleep 1000`);
    const first = await ran({ timeoutMs: 500 });
    assert.equal(first.outcome.kind, "timed-out");
    assert.deepEqual(groupMembers(first.pid), []);
    writeFileSync(join(place, "well"), "");
    const second = await ran({});
    assert.ok(second.outcome.kind === "exited" && second.outcome.code === 0);
    assert.notEqual(second.pid, first.pid);
  });

  it("what an earlier run left behind is not ended with a later one", async () => {
    agent(`
      if [ ! -e ${place}/left ]; then sleep 1000 >/dev/null 2>&1 & echo $! >${place}/left; exit 0; fi
      echo $$ >${place}/second; sleep 1000`);
    const first = await ran({ timeoutMs: 500 });
    const left = groupMembers(first.pid).find((info) => info.pid === Number(lines("left")[0]));
    assert.ok(left !== undefined, "the first run left a process in its group");
    // Start times count in hundredths of a second: the second run begins in a later one.
    for (const fromMs = performance.now(); performance.now() - fromMs < 50; ) await new Promise((resolve) => setImmediate(resolve));
    const second = await ran({ timeoutMs: 500 });
    assert.equal(second.outcome.kind, "timed-out");
    assert.equal(second.pid, first.pid);
    assert.deepEqual(
      groupMembers(first.pid).map((info) => info.pid),
      [left.pid],
    );
    process.kill(left.pid, "SIGKILL");
  });

  it("cancelled is cancelled", async () => {
    agent("sleep 1000");
    const { outcome, pid } = await ran({}, (run) => run.kill("kill"));
    assert.deepEqual(outcome, { kind: "cancelled" });
    assert.deepEqual(groupMembers(pid), []);
  });

  it("a shell that was killed from outside has failed, and is replaced", async () => {
    agent(`[ -e ${place}/fine ] && exit 0; kill -KILL $PPID; sleep 1000`);
    const first = await ran({});
    assert.ok(first.outcome.kind === "exited" && first.outcome.code === 1);
    for (const { pid } of groupMembers(first.pid)) process.kill(pid, "SIGKILL");
    writeFileSync(join(place, "fine"), "");
    const second = await ran({});
    assert.ok(second.outcome.kind === "exited" && second.outcome.code === 0);
  });

  it("changed parameters reach the agent, odd names too", async () => {
    agent(`tr '\\0' '\\n' </proc/$$/environ | grep ^OCF_RESKEY_[a-z]*-*[a-z]*= >${place}/seen; exit 0`);
    await ran({ params: { a: 'it\'s "1"\n$HOME' } });
    assert.deepEqual(lines("seen"), ['OCF_RESKEY_a=it\'s "1"']);
    await ran({ params: { a: "2" } });
    assert.deepEqual(lines("seen"), ["OCF_RESKEY_a=2"]);
    await ran({ params: { "b-c": "3" } });
    assert.deepEqual(lines("seen"), ["OCF_RESKEY_b-c=3"]);
  });

  it("nothing is left after a stop", async () => {
    agent("exit 0");
    const { pid } = await ran({});
    const [shell] = groupMembers(pid);
    assert.ok(shell !== undefined && isAlive(pid, shell.startTicks), "the shell waits for the next run");
    await ran({ operation: "stop", intervalMs: 0 });
    await isGone(pid);
  });
});
