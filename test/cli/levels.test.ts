import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { openContext } from "../../src/app/cli/context.ts";
import { findResource, textOf } from "../../src/app/cli/edits.ts";
import type { CliOptions } from "../../src/app/cli/level.ts";
import { rootLevel } from "../../src/app/cli/root.ts";
import { Shell } from "../../src/app/cli/shell.ts";
import { attributeOf, childOf, type Element, element, idOf } from "../../src/core/cib/index.ts";
import { fault } from "../../src/io/api/index.ts";
import { FakeDaemon, sampleConfiguration } from "./fake-daemon.ts";
import { TestTerminal } from "./test-terminal.ts";

describe("levels over the API", () => {
  let daemon: FakeDaemon;
  before(async () => {
    daemon = await FakeDaemon.start(sampleConfiguration());
  });
  after(() => daemon.stop());
  beforeEach(() => {
    daemon.configuration = sampleConfiguration();
    daemon.takeWrites();
  });

  /** Runs lines as a batch would, and gives back what was printed and whether all went well. */
  async function run(
    lines: string | readonly string[],
    change: Partial<CliOptions> = {},
  ): Promise<{ ok: boolean; out: string[]; said: string[] }> {
    const terminal = new TestTerminal();
    const options: CliOptions = {
      force: false,
      no: false,
      wait: false,
      debug: false,
      display: "plain",
      cibFile: null,
      shadow: null,
      socketPath: daemon.socketPath,
      ...change,
    };
    const context = openContext(terminal, "batch", options);
    const shell = new Shell(rootLevel(), context);
    let ok = true;
    for (const line of typeof lines === "string" ? [lines] : lines) ok = (await shell.run(line)).ok && ok;
    ok = (await shell.leaveAll()) && ok;
    context.close();
    return { ok, out: terminal.out_, said: terminal.said };
  }

  const meta = (id: string, name: string): string | undefined => {
    const resource = findResource(daemon.configuration, id);
    return resource === undefined ? undefined : textOf(resource, "meta_attributes", name);
  };
  const constraints = (): readonly Element[] => childOf(daemon.configuration, "constraints")?.children ?? [];

  test("one line, a level entered, and an abbreviated path do the same", async () => {
    for (const lines of [
      "resource stop web",
      ["resource", "stop web"],
      ["resource", "up", "res stop web"],
      ["node", "resource stop web"],
      ["cd resource", "stop web"],
    ]) {
      daemon.configuration = sampleConfiguration();
      const { ok } = await run(lines);
      assert.equal(ok, true, String(lines));
      assert.equal(meta("web", "target-role"), "Stopped", String(lines));
    }
  });

  test("an abbreviation is told", async () => {
    assert.deepEqual((await run("res stop web")).said, ['INFO: "res" is accepted as "resource"']);
  });

  test("a command of another level does not change the current one", async () => {
    const { ok, said } = await run(["node", "resource stop web", "standby n2"]);
    assert.equal(ok, true, said.join());
    assert.deepEqual(daemon.takeWrites().at(-1), { method: "node.standby", params: { node: "n2", on: true } });
  });

  test("unknown and ambiguous words are named with their level", async () => {
    assert.deepEqual((await run("frobnicate")).said, ["ERROR: root.frobnicate: No such command"]);
    assert.deepEqual((await run("resource frobnicate")).said, ["ERROR: resource.frobnicate: No such command"]);
    const { ok, said } = await run("resource st web");
    assert.equal(ok, false);
    assert.match(said[0] ?? "", /resource\.st: ambiguous, could be/);
  });

  test("a bad line does not stop the rest", async () => {
    const { ok } = await run(["resource stop nothing", "resource stop web"]);
    assert.equal(ok, false);
    assert.equal(meta("web", "target-role"), "Stopped");
  });

  test("the set and the pair get the ids that crm tools give", async () => {
    await run("resource stop web");
    const set = childOf(findResource(daemon.configuration, "web")!, "meta_attributes");
    assert.equal(idOf(set!), "web-meta_attributes");
    assert.equal(idOf(set!.children[0]!), "web-meta_attributes-target-role");
  });

  test("starting a group leaves what its members say of themselves; -F takes it away", async () => {
    await run("resource start grp");
    assert.equal(meta("grp", "target-role"), "Started");
    assert.equal(meta("fs", "target-role"), "Stopped");
    await run("resource start grp", { force: true });
    assert.equal(meta("fs", "target-role"), "Stopped", "a fake terminal answers no");
  });

  test("a wish about what a clone is made of is written at the clone", async () => {
    await run(["resource meta ping set target-role Started", "resource stop ping"]);
    assert.equal(meta("ping-clone", "target-role"), "Stopped");
    assert.equal(meta("ping", "target-role"), undefined);
  });

  test("only promotable clones are promoted and demoted", async () => {
    for (const line of ["promote web", "demote ping-clone", "promote ping", "promote nosuch"]) {
      assert.equal((await run(`resource ${line}`)).ok, false, line);
    }
    assert.deepEqual(daemon.takeWrites(), []);
    const { ok } = await run(["resource meta ping-clone set promotable true", "resource promote ping-clone"]);
    assert.ok(ok);
    assert.equal(meta("ping-clone", "target-role"), "Promoted");
  });

  test("maintenance and is-managed may contradict each other when nobody is there to be asked", async () => {
    await run(["resource maintenance web on", "resource unmanage web"]);
    assert.equal(meta("web", "maintenance"), "true");
    assert.equal(meta("web", "is-managed"), "false");
  });

  test("what is not set can be shown and deleted; a set that became empty stays", async () => {
    const shown = await run("resource meta web show priority");
    assert.deepEqual([shown.ok, shown.out, shown.said], [true, [], ["INFO: web has no meta priority"]]);
    assert.equal((await run("resource meta web delete priority")).ok, true);
    assert.equal((await run("resource meta nosuch show priority")).ok, false);
    await run(["resource meta web set priority 1", "resource meta web delete priority"]);
    const web = findResource(daemon.configuration, "web");
    assert.deepEqual(
      web?.children.filter((child) => child.name === "meta_attributes").map((set) => [idOf(set), set.children.length]),
      [["web-meta_attributes", 0]],
    );
  });

  test("restart stops, waits, and puts back what was configured", async () => {
    const { ok } = await run("resource restart web");
    assert.equal(ok, true);
    assert.deepEqual(
      daemon.takeWrites().map((request) => request.method),
      ["config.commit", "wait.idle", "config.commit", "wait.idle"],
    );
    assert.equal(meta("web", "target-role"), undefined);
  });

  test("restarting what is stopped is refused", async () => {
    const { ok, said } = await run("resource restart fs");
    assert.equal(ok, false);
    assert.match(said[0] ?? "", /fs is stopped/);
  });

  test("refusals of the cluster level name the option, the node, and what would be right", async () => {
    const token = await run("cluster token --ttl 8d");
    assert.deepEqual([token.ok, token.said], [false, ["ERROR: --ttl must be from 1s to 7d, not 8d"]]);
    daemon.answers.set("node.shutdown", () => {
      throw fault("NO_LEADER", "there is no leader now");
    });
    const cib = (): Element => element("cib", {}, [daemon.configuration, daemon.status]);
    daemon.answers.set("status", () => ({ quorate: true, clockMs: 0, cib: cib() }));
    const stop = await run("cluster stop n1 n2");
    assert.deepEqual(stop.said, ["ERROR: n1: there is no leader now", "ERROR: n2: there is no leader now"]);
    const ran = { operation: "start", "rc-code": "0", "op-status": "0", "call-id": "1", interval: "0" };
    const history = element("lrm_rsc_op", { id: "web_last_0", ...ran, "transition-key": "1:1:0:x", "transition-magic": "0:0;1:1:0:x" });
    const held = element("lrm_resource", { id: "web", class: "ocf", provider: "quorate", type: "dummy" }, [history]);
    const lrm = element("lrm", { id: "1" }, [element("lrm_resources", {}, [held])]);
    const member = { in_ccm: "true", crmd: "online", join: "member", expected: "member" };
    daemon.status = element("status", {}, [element("node_state", { id: "1", uname: "n1", ...member }, [lrm])]);
    daemon.answers.set("node.shutdown", () => ({}));
    assert.deepEqual(
      (await run("cluster stop n1")).said.filter((line) => line.startsWith("WARNING")),
      [],
    );
    assert.ok((await run("resource unmanage web")).ok);
    const [warning = ""] = (await run("cluster stop n1 n2")).said.filter((line) => line.startsWith("WARNING"));
    assert.match(warning, /^WARNING: web on n1 is left as it is \(unmanaged or in maintenance\): the node leaves when that is over/);
    daemon.status = element("status");
    daemon.answers.set("status", () => ({ quorate: true, nodes: [{ name: "n2", state: "never" }], warnings: [] }));
    assert.deepEqual((await run("cluster health")).out, ["n2 has not been seen yet: do quorated and quorate-guardian run there?"]);
    for (const method of ["node.shutdown", "status"]) daemon.answers.delete(method);
  });

  test("move makes cli-prefer, ban cli-ban, clear drops both", async () => {
    await run("resource move web n2");
    assert.deepEqual(constraints()[0]?.attributes, { id: "cli-prefer-web", rsc: "web", role: "Started", node: "n2", score: "INFINITY" });
    await run("resource ban web n1");
    assert.deepEqual(
      constraints().map((item) => [idOf(item), attributeOf(item, "score")]),
      [["cli-ban-web-on-n1", "-INFINITY"]],
      "a ban replaces the preference",
    );
    await run("resource clear web");
    assert.deepEqual(constraints(), []);
  });

  test("a lifetime becomes a rule with an end", async () => {
    await run("resource move web n3 2030-01-02T03:04:05Z");
    const rule = childOf(constraints()[0]!, "rule");
    assert.equal(attributeOf(rule!, "score"), "INFINITY");
    assert.equal(attributeOf(childOf(rule!, "expression")!, "value"), "n3");
    assert.equal(attributeOf(childOf(rule!, "date_expression")!, "end"), "2030-01-02T03:04:05Z");
  });

  test("move without a node needs force; a wrong word is named", async () => {
    assert.match((await run("resource move web")).said[0] ?? "", /without a node/);
    assert.match((await run("resource move web n9")).said[0] ?? "", /neither a node nor a lifetime.*n9/);
  });

  test("param and utilization: set, show, delete", async () => {
    await run(["resource param web set ip 10.0.0.1", "resource utilization web set cpu 4"]);
    assert.deepEqual((await run(["resource param web show ip", "resource utilization web show cpu"])).out, ["10.0.0.1", "4"]);
    await run("resource param web delete ip");
    assert.deepEqual((await run("resource param web show ip")).out, []);
  });

  test("cleanup and refresh name resource and node in either order", async () => {
    await run(["resource cleanup web n1", "resource refresh n2", "resource cleanup"]);
    assert.deepEqual(daemon.takeWrites(), [
      { method: "resource.cleanup", params: { resource: "web", node: "n1", force: false } },
      { method: "resource.refresh", params: { node: "n2", force: false } },
      { method: "resource.cleanup", params: { force: false } },
    ]);
  });

  test("failcount: set takes INFINITY, show prints it", async () => {
    daemon.answers.set("resource.failcount", () => ({ value: 1_000_000, entries: [] }));
    await run("resource failcount web set n1 INFINITY");
    assert.deepEqual(daemon.takeWrites()[0]?.params, { resource: "web", node: "n1", action: "set", value: 1_000_000 });
    assert.deepEqual((await run("resource failcount web show n1")).out, ["scope=status  name=fail-count-web value=INFINITY"]);
  });

  test("node commands reach the API; unknown nodes do not", async () => {
    await run(["node standby n1 reboot", "node online n1", "node maintenance n2", "node ready n2", "node standby"]);
    assert.deepEqual(daemon.takeWrites(), [
      { method: "node.standby", params: { node: "n1", on: true, lifetime: "reboot" } },
      { method: "node.standby", params: { node: "n1", on: false } },
      { method: "node.maintenance", params: { node: "n2", on: true } },
      { method: "node.maintenance", params: { node: "n2", on: false } },
      { method: "node.standby", params: { node: "n1", on: true } },
    ]);
    const { ok, said } = await run("node standby n9");
    assert.equal(ok, false);
    assert.deepEqual(said, ["ERROR: no such node: n9"]);
  });

  test("attributes of a node: permanent in the configuration, transient over the API", async () => {
    await run("node attribute n1 set site west");
    const node = childOf(daemon.configuration, "nodes")?.children[0];
    assert.equal(idOf(childOf(node!, "instance_attributes")!), "nodes-1");
    assert.deepEqual((await run("node attribute n1 show site")).out, ["scope=nodes  name=site value=west"]);
    daemon.takeWrites();
    daemon.answers.set("node.attribute", () => ({ index: 1, epoch: 1 }));
    await run("node status-attr n1 set load 3");
    assert.deepEqual(daemon.takeWrites(), [
      { method: "node.attribute", params: { node: "n1", name: "load", value: "3", lifetime: "reboot" } },
    ]);
  });

  const votes = (up: number) => ({ nodes: ["n1", "n2", "n3"].map((name, at) => ({ name, votes: 1, state: at < up ? "online" : "lost" })) });

  test("fence goes ahead in a batch, clearstate only with -F", async () => {
    daemon.answers.set("status", () => votes(3));
    daemon.answers.set("node.fence", () => ({ index: 4, by: "device f on n2", elapsedMs: 12 }));
    daemon.answers.set("node.confirm", () => ({ index: 5, epoch: 1 }));
    assert.deepEqual((await run("node fence n3")).said, ["INFO: n3 is fenced by device f on n2 after 12 ms"]);
    assert.equal((await run("node clearstate n3")).ok, false);
    assert.deepEqual(
      daemon.takeWrites().map((request) => request.method),
      ["node.fence"],
    );
  });

  test("fencing that costs the quorum is asked about, and not done in a batch without -F", async () => {
    daemon.answers.set("status", () => votes(2));
    daemon.answers.set("node.fence", () => ({ index: 4, by: "device f on n2", elapsedMs: 12 }));
    const refused = await run("node fence n2");
    assert.equal(refused.ok, false);
    assert.match(refused.said.join(" "), /n2.*quorum \(1 of 3 votes are left\)/);
    assert.deepEqual(daemon.takeWrites(), []);
    // What is down already costs nothing more.
    assert.equal((await run("node fence n3")).ok, true);
    assert.equal(daemon.takeWrites().length, 1);
  });

  test("a refusal of the daemon is told in its words", async () => {
    const { ok, said } = await run("cluster remove n1");
    assert.equal(ok, false);
    assert.deepEqual(said, ["ERROR: no such method: cluster.remove"]);
  });

  test("-w waits after a change", async () => {
    await run("resource stop web", { wait: true });
    assert.deepEqual(
      daemon.takeWrites().map((request) => request.method),
      ["config.commit", "wait.idle"],
    );
  });

  test("cluster maintenance lands in the one property set", async () => {
    await run("maintenance on");
    const set = childOf(daemon.configuration, "crm_config")?.children[0];
    assert.equal(set?.name, "cluster_property_set");
    assert.equal(idOf(set!), "cib-bootstrap-options");
    assert.equal(attributeOf(set!.children[0]!, "name"), "maintenance-mode");
  });

  test("help names commands and usage at every level", async () => {
    const { ok, out } = await run(["help", "help resource move", "resource move --help", "resource help"]);
    assert.equal(ok, true);
    assert.ok(out.some((line) => line.includes("move RESOURCE [NODE] [LIFETIME] [force]")));
  });

  test("without a daemon the message says so", async () => {
    const { ok, said } = await run("resource stop web", { socketPath: "/nonexistent/quorate.sock" });
    assert.equal(ok, false);
    assert.deepEqual(said, ["ERROR: cannot reach /nonexistent/quorate.sock: no daemon listens there"]);
  });

  test("completion offers words of the place", async () => {
    const terminal = new TestTerminal();
    const context = openContext(terminal, "interactive", {
      force: false,
      no: false,
      wait: false,
      debug: false,
      display: "plain",
      cibFile: null,
      shadow: null,
      socketPath: daemon.socketPath,
    });
    const shell = new Shell(rootLevel(), context);
    const words = async (line: string): Promise<string[]> => (await shell.complete(line)).map((item) => item.word);
    assert.deepEqual(await words("reso"), ["resource"]);
    assert.deepEqual(await words("resource mo"), ["move"]);
    assert.deepEqual(await words("resource move p"), ["ping-clone", "ping"]);
    assert.deepEqual(await words("resource move web n"), ["n1", "n2", "n3"]);
    context.close();
  });
});
