import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { AgentAction } from "../../src/core/ports/index.ts";
import { groupMembers, isAlive, readProcess } from "../../src/io/agents/index.ts";
import { repository } from "../support/repository.ts";
import { actionOf, type Ran, ran, runnerAt, writeAgent } from "./support.ts";

const place = mkdtempSync(join(tmpdir(), "qa-"));
after(() => rmSync(place, { recursive: true, force: true }));

const runner = runnerAt(place, { quorate: join(repository(), "agents/ocf") });
const agent = (name: string, lines: string): void => writeAgent(place, name, lines);
const outcomeOf = (over: Partial<AgentAction>): Promise<Ran> => ran(runner, actionOf(over));

describe("agents as processes", () => {
  it("a timeout ends the whole group, grandchildren that ignore SIGTERM included", async () => {
    const pids = join(place, "pids");
    agent("hang", `trap '' TERM; (trap '' TERM; sh -c 'echo $$ >>${pids}; sleep 1000') & echo $$ >>${pids}; sleep 1000`);
    const { outcome, pid } = await outcomeOf({ type: "hang", timeoutMs: 2_000 });
    assert.equal(outcome.kind, "timed-out");
    assert.deepEqual(groupMembers(pid), []);
    for (const each of readFileSync(pids, "utf8").trim().split("\n")) {
      const info = readProcess(Number(each));
      assert.ok(info === null || !isAlive(info.pid, info.startTicks), `${each} is dead`);
    }
  });

  it("an action ends with its process, not with its pipes", async () => {
    agent("daemon", "setsid sleep 10 & echo started >&2; exit 0");
    const { outcome } = await outcomeOf({ type: "daemon" });
    assert.ok(outcome.kind === "exited" && outcome.code === 0);
    assert.ok(outcome.elapsedMs < 9_000, `took ${outcome.elapsedMs} ms`);
  });

  it("a chatty agent is read to its end and cut at 64 KiB", async () => {
    agent("chatty", "head -c 1000000 /dev/zero | tr '\\0' x; exit 0");
    const { outcome } = await outcomeOf({ type: "chatty", operation: "meta-data" });
    assert.equal(outcome.kind === "exited" && outcome.output.length, 65_536);
  });

  it("everything written before the exit is there", async () => {
    agent("words", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; exit 0");
    const { outcome } = await outcomeOf({ type: "words", operation: "meta-data" });
    assert.ok(outcome.kind === "exited" && outcome.output.endsWith("line 2999\n"));
  });

  it("cancelled is cancelled, whatever the agent says", async () => {
    agent("polite", "trap 'exit 0' TERM; while :; do sleep 0.01; done");
    const run = runner.start(actionOf({ type: "polite" }), { spawned: () => setImmediate(() => run.kill("term")) });
    assert.deepEqual(await run.outcome, { kind: "cancelled" });
  });

  it("the exit reason comes along", async () => {
    agent("sorry", "echo 'ocf-exit-reason:the disk is gone' >&2; exit 5");
    const { outcome } = await outcomeOf({ type: "sorry" });
    assert.deepEqual(outcome.kind === "exited" && [outcome.code, outcome.reason], [5, "the disk is gone"]);
  });

  const refused: readonly (readonly [string, Partial<AgentAction>, string])[] = [
    ["absent", { type: "absent" }, "AGENT_NOT_INSTALLED"],
    ["not executable", { type: "plain" }, "AGENT_NOT_PERMITTED"],
    ["a directory", { type: "folder" }, "AGENT_NOT_INSTALLED"],
    ["a path", { type: "../x" }, "AGENT_BAD_REQUEST"],
    ["a NUL in a value", { type: "sorry", params: { x: "a\0b" } }, "AGENT_BAD_REQUEST"],
    ["no systemd", { agentClass: "systemd", type: "nginx", operation: "start" }, "AGENT_NOT_INSTALLED"],
    ["no such interpreter", { type: "broken" }, "AGENT_NOT_PERMITTED"],
  ];
  writeFileSync(join(place, "plain"), "x");
  mkdirSync(join(place, "folder"));
  writeFileSync(join(place, "broken"), "#!/no/such/interpreter\n");
  chmodSync(join(place, "broken"), 0o755);
  for (const [name, over, code] of refused) {
    it(`not started: ${name}`, async () => {
      const { outcome } = await outcomeOf(over);
      assert.equal(outcome.kind === "not-started" && outcome.code, code);
    });
  }

  it("an init script is asked for its status, and service falls back to it", async () => {
    agent("script", '[ "$1" = status ] && exit 3; exit 0');
    for (const agentClass of ["lsb", "service"] as const) {
      const { outcome } = await outcomeOf({ agentClass, provider: null, type: "script", operation: "monitor" });
      assert.equal(outcome.kind === "exited" && outcome.code, 7, agentClass);
    }
  });

  it("a fence agent gets its input and never an argument", async () => {
    const seen = join(place, "seen");
    agent("fence_test", `[ "$1" = -o ] && { echo '<parameter name="port"/>'; exit 0; }; { echo "args=$*"; cat; } >${seen}; exit 0`);
    const { outcome } = await outcomeOf({
      agentClass: "stonith",
      provider: null,
      type: "fence_test",
      operation: "off",
      target: "n2",
      params: { password: "geheim", pcmk_host_map: "n2:12" },
    });
    assert.equal(outcome.kind === "exited" && outcome.code, 0);
    assert.deepEqual(readFileSync(seen, "utf8").trim().split("\n"), ["args=", "password=geheim", "action=off", "nodename=n2", "port=12"]);
  });

  for (const type of ["dummy", "stateful"]) {
    it(`ocf:quorate:${type} keeps OCF's rules: idempotent, 7 when stopped, ledger in pairs`, async () => {
      const ledger = join(place, `ledger-${type}`);
      const code = async (operation: string): Promise<number> => {
        const { outcome } = await outcomeOf({ provider: "quorate", type, operation, params: { ledger } });
        return outcome.kind === "exited" ? outcome.code : -1;
      };
      const codes: number[] = [];
      for (const operation of ["monitor", "stop", "start", "start", "monitor", "validate-all", "stop", "stop", "monitor", "nonsense"]) {
        codes.push(await code(operation));
      }
      assert.deepEqual(codes, [7, 0, 0, 0, 0, 0, 0, 0, 7, 3]);
      const lines = readFileSync(ledger, "utf8")
        .trim()
        .split("\n")
        .map((line) => line.split(" "));
      assert.deepEqual(
        lines.map((line) => line.slice(1, 4).join(" ")),
        ["n1 r start", "n1 r stop"],
      );
    });
  }

  it("ocf:quorate:stateful promotes and demotes", async () => {
    const codes: number[] = [];
    for (const operation of ["promote", "start", "promote", "monitor", "promote", "demote", "monitor", "promote", "stop", "monitor"]) {
      const { outcome } = await outcomeOf({ provider: "quorate", type: "stateful", operation });
      codes.push(outcome.kind === "exited" ? outcome.code : -1);
    }
    assert.deepEqual(codes, [1, 0, 0, 8, 0, 0, 0, 0, 0, 7]);
  });

  it("ocf:quorate:web answers with its text and node, and its monitor makes a real request", async () => {
    const port = String(50_000 + (process.pid % 10_000));
    const params = { port, text: "good morning" };
    const code = async (operation: string): Promise<number> => {
      const { outcome } = await outcomeOf({ provider: "quorate", type: "web", operation, params });
      return outcome.kind === "exited" ? outcome.code : -1;
    };
    assert.equal(await code("monitor"), 7);
    assert.equal(await code("start"), 0);
    try {
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "good morning n1\n");
      assert.equal(await code("monitor"), 0);
      const pid = Number(readFileSync(join(place, "quorate-web-r.pid"), "utf8"));
      process.kill(pid, "SIGKILL");
      while (readProcess(pid) !== null && !["Z", "X"].includes(readProcess(pid)?.state ?? "X"))
        await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(await code("monitor"), 7, "a dead server is not running");
    } finally {
      assert.equal(await code("stop"), 0);
    }
  });
});
