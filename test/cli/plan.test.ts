import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { openContext } from "../../src/app/cli/context.ts";
import type { CliMode } from "../../src/app/cli/level.ts";
import { rootLevel } from "../../src/app/cli/root.ts";
import { Shell } from "../../src/app/cli/shell.ts";
import { childOf, type Element, element, idOf } from "../../src/core/cib/index.ts";
import { FakeDaemon } from "./fake-daemon.ts";
import { TestTerminal } from "./test-terminal.ts";

const dummy = (id: string): Element => element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" });

/** Two online nodes; `web` runs on n1, its last start took 700 ms and its last stop 300 ms. */
function configuration(): Element {
  const options = { "stonith-enabled": "false", "no-quorum-policy": "ignore" };
  return element("configuration", {}, [
    element("crm_config", {}, [
      element(
        "cluster_property_set",
        { id: "cib-bootstrap-options" },
        Object.entries(options).map(([name, value]) => element("nvpair", { id: `o-${name}`, name, value })),
      ),
    ]),
    element("nodes", {}, [element("node", { id: "1", uname: "n1" }), element("node", { id: "2", uname: "n2" })]),
    element("resources", {}, [dummy("web")]),
    element("constraints"),
  ]);
}

function status(): Element {
  const op = (operation: string, callId: number, execMs: number, rc = 0): Element =>
    element("lrm_rsc_op", {
      id: `web_${operation === "monitor" ? "monitor_0" : "last_0"}-${operation}`,
      operation,
      operation_key: `web_${operation}_0`,
      "call-id": String(callId),
      "rc-code": String(rc),
      "op-status": "0",
      interval: "0",
      "exec-time": String(execMs),
      "transition-key": `${callId}:1:${rc}:aaaaaaaa-0000-0000-0000-000000000000`,
      "transition-magic": `0:${rc};${callId}:1:${rc}:aaaaaaaa-0000-0000-0000-000000000000`,
    });
  const state = (id: string, uname: string, ops: readonly Element[]): Element =>
    element("node_state", { id, uname, in_ccm: "true", crmd: "online", join: "member", expected: "member" }, [
      element("lrm", { id }, [
        element("lrm_resources", {}, [element("lrm_resource", { id: "web", class: "ocf", provider: "quorate", type: "dummy" }, ops)]),
      ]),
    ]);
  return element("status", {}, [state("1", "n1", [op("stop", 2, 300), op("start", 3, 700)]), state("2", "n2", [op("monitor", 1, 5, 7)])]);
}

describe("plan and commit --plan in configure", () => {
  let daemon: FakeDaemon;
  const directory = mkdtempSync(join(tmpdir(), "quorate-plan-"));
  before(async () => {
    daemon = await FakeDaemon.start(configuration());
    daemon.answers.set("status", () => ({
      epoch: daemon.epoch,
      clockMs: 1_700_000_000_000,
      cib: element("cib", { "have-quorum": "1", "dc-uuid": "1", "validate-with": "pacemaker-3.9" }, [daemon.configuration, status()]),
    }));
    process.env["CIB_shadow_dir"] = directory;
  });
  after(async () => {
    delete process.env["CIB_shadow_dir"];
    rmSync(directory, { recursive: true, force: true });
    await daemon.stop();
  });
  beforeEach(() => {
    daemon.configuration = configuration();
    daemon.epoch = 1;
  });

  async function run(lines: readonly string[], mode: CliMode = "batch"): Promise<{ ok: boolean; out: string; said: string[] }> {
    const terminal = new TestTerminal();
    const options = { force: false, no: false, wait: false, debug: false, display: "plain", cibFile: null, shadow: null } as const;
    const context = openContext(terminal, mode, { ...options, socketPath: daemon.socketPath });
    const shell = new Shell(rootLevel(), context);
    let ok = true;
    for (const line of lines) ok = (await shell.run(line)).ok && ok;
    ok = (await shell.leaveAll()) && ok;
    context.close();
    return { ok, out: terminal.out_.join("\n"), said: terminal.said };
  }

  const MOVE = ["configure", "location go web inf: n2"];
  const constraints = (): string[] => (childOf(daemon.configuration, "constraints")?.children ?? []).map((each) => idOf(each) ?? "");
  const planId = async (): Promise<string> => {
    const { out } = await run([...MOVE, "plan --json"]);
    return (JSON.parse(out) as { id: string }).id;
  };

  test("a plan names edits, what goes away and for how long, and the exact actions; it commits nothing", async () => {
    const { ok, out, said } = await run([...MOVE, "plan"]);
    assert.equal(ok, true, said.join("\n"));
    assert.match(out, /^Plan 1-[0-9a-f]{12}$/m);
    assert.match(out, /^ {2}\+ constraints go$/m);
    assert.match(out, /Move +web +n1 -> n2 +.*away for about 1\.0 s/);
    assert.match(out, /1\. Resource action: web +stop on n1\n +2\. Resource action: web +start on n2/);
    assert.deepEqual(constraints(), []);
    assert.ok(said.some((line) => line.startsWith("INFO: not committed")));
  });

  test("commit --plan carries it out while it is the same plan", async () => {
    const id = await planId();
    const { ok, said } = await run([...MOVE, `commit --plan ${id}`]);
    assert.equal(ok, true, said.join("\n"));
    assert.deepEqual(constraints(), ["go"]);
    assert.ok(
      daemon.takeWrites().some((write) => (write.params as { epoch?: number }).epoch === 1),
      "the epoch goes with the commit",
    );
  });

  test("another epoch refuses, and the end of the batch does not commit either", async () => {
    const id = await planId();
    daemon.epoch = 2;
    const { ok, said } = await run([...MOVE, `commit --plan ${id}`]);
    assert.equal(ok, false);
    assert.ok(said.some((line) => /the plan is 2-[0-9a-f]+ now, not 1-/.test(line)));
    assert.deepEqual(constraints(), []);
  });

  test("the same objects with another content are another plan", async () => {
    const id = await planId();
    const { ok } = await run(["configure", "location go web 500000: n2", `commit --plan ${id}`]);
    assert.equal(ok, false);
    assert.deepEqual(constraints(), []);
  });

  test("an epoch that moves between the check and the commit is refused by the cluster", async () => {
    const id = await planId();
    const real = daemon.answers.get("status")!;
    daemon.answers.set("status", (params) => {
      const answer = real(params);
      queueMicrotask(() => {
        daemon.epoch = 2;
      });
      return answer;
    });
    const { ok, said } = await run([...MOVE, `commit --plan ${id}`]);
    daemon.answers.set("status", real);
    assert.equal(ok, false, said.join("\n"));
    assert.deepEqual(constraints(), []);
  });

  test("a configuration that verify refuses has no plan", async () => {
    const { ok, said } = await run(["configure", "group g nothing", "plan"]);
    assert.equal(ok, false);
    assert.ok(said.length > 0);
  });

  test("with a shadow in use the way is cib commit, and its plan has the same id", async () => {
    const made = await run(["cib new try withstatus", ...MOVE, "plan --json"], "batch");
    assert.equal(made.ok, true, made.said.join("\n"));
    const refused = await run(["cib use try", ...MOVE, "commit --plan 1-abc"]);
    assert.ok(refused.said.some((line) => line.includes("cib commit NAME --plan ID")));
    await run(["cib use try", ...MOVE, "commit"]);
    const { id } = JSON.parse((await run(["cib use try", "plan --json"])).out) as { id: string };
    assert.equal((JSON.parse(made.out) as { id: string }).id, id);
    const done = await run([`cib commit try --plan ${id}`]);
    assert.equal(done.ok, true, done.said.join("\n"));
    assert.deepEqual(constraints(), ["go"]);
  });
});
