import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentAction } from "../../src/core/ports/index.ts";
import {
  agentPaths,
  exitedOutcome,
  exitReason,
  fenceInput,
  fenceOperation,
  groupName,
  hostArgument,
  hostPort,
  mapExit,
  mapUnitState,
  ocfEnvironment,
  ownGroupPath,
  parameterNames,
  parseStat,
  readProperties,
  unitName,
} from "../../src/io/agents/index.ts";
import { actionOf } from "./support.ts";

const action = (over: Partial<AgentAction> = {}): AgentAction =>
  actionOf({ resource: "r1", provider: "heartbeat", type: "Dummy", operation: "monitor", ...over });

const ended = (code: number | null, over: { stdout?: string; stderr?: string; signal?: string } = {}) => ({
  code,
  signal: over.signal ?? null,
  stdout: over.stdout ?? "",
  stderr: over.stderr ?? "",
});

describe("exit codes", () => {
  const table: readonly (readonly [AgentAction["agentClass"], string, number, number, string])[] = [
    ["ocf", "monitor", 0, 0, "running"],
    ["ocf", "monitor", 7, 7, "not running"],
    ["ocf", "monitor", 8, 8, "promoted"],
    ["ocf", "monitor", 190, 190, "degraded"],
    ["ocf", "start", 255, 1, "outside OCF: generic"],
    ["lsb", "monitor", 0, 0, "LSB status 0: running"],
    ["lsb", "monitor", 1, 7, "LSB status 1: dead, pid file"],
    ["lsb", "monitor", 2, 7, "LSB status 2: dead, lock file"],
    ["lsb", "monitor", 3, 7, "LSB status 3: not running"],
    ["lsb", "monitor", 4, 1, "LSB status 4: unknown"],
    ["lsb", "stop", 7, 0, "stopping what is not running is success"],
    ["lsb", "start", 7, 7, "started but not running"],
    ["lsb", "start", 5, 5, "not installed"],
    ["lsb", "start", 150, 1, "outside LSB: generic"],
    ["stonith", "status", 0, 0, "on"],
    ["stonith", "status", 2, 7, "off"],
    ["stonith", "off", 0, 0, "done"],
    ["stonith", "off", 2, 1, "2 means off only for status"],
    ["stonith", "monitor", 1, 1, "device does not answer"],
    ["systemd", "start", 0, 0, "started"],
    ["systemd", "start", 5, 5, "no such unit"],
    ["systemd", "start", 1, 1, "the job failed"],
  ];
  for (const [agentClass, operation, code, expected, rule] of table) {
    it(`${agentClass} ${operation} ${code} -> ${expected}: ${rule}`, () => {
      assert.equal(mapExit(agentClass, operation, ended(code)).code, expected);
    });
  }

  it("an agent killed by a signal is a generic error that says so", () => {
    assert.deepEqual(mapExit("ocf", "start", ended(null, { signal: "SIGSEGV" })), { code: 1, note: "the agent was killed by SIGSEGV" });
  });

  const units: readonly (readonly [Readonly<Record<string, string>>, number | "wait"])[] = [
    [{ LoadState: "loaded", ActiveState: "active" }, 0],
    [{ LoadState: "loaded", ActiveState: "reloading" }, 0],
    [{ LoadState: "loaded", ActiveState: "activating" }, "wait"],
    [{ LoadState: "loaded", ActiveState: "deactivating" }, "wait"],
    [{ LoadState: "loaded", ActiveState: "inactive" }, 7],
    [{ LoadState: "loaded", ActiveState: "failed", Result: "signal" }, 7],
    [{ LoadState: "not-found", ActiveState: "inactive" }, 5],
    [{ LoadState: "masked", ActiveState: "inactive" }, 5],
  ];
  for (const [properties, expected] of units) {
    it(`unit ${properties["LoadState"]} ${properties["ActiveState"]} -> ${expected}`, () => {
      const mapped = mapUnitState(properties);
      assert.equal(mapped === "wait" ? mapped : mapped.code, expected);
    });
  }
});

describe("reasons and output", () => {
  it("the last exit reason counts", () => {
    assert.equal(exitReason("noise\nocf-exit-reason:first\nINFO: x\nocf-exit-reason: second \n"), "second");
    assert.equal(exitReason("nothing of the kind"), null);
    assert.equal(exitReason("ocf-exit-reason:"), null);
    assert.equal(exitReason("ocf-exit-reason:a \u001b[1mloud\u001b[0m reason"), "a  [1mloud [0m reason");
  });

  it("secrets leave neither in the reason nor in the output", () => {
    const of = action({ agentClass: "stonith", operation: "off", params: { password: "hunter2!", ip: "10.0.0.1" } });
    const outcome = exitedOutcome(of, ended(1, { stderr: "login with hunter2! at 10.0.0.1 failed\n" }), 5);
    assert.equal(outcome.kind === "exited" && outcome.reason, "login with **** at 10.0.0.1 failed");
    assert.ok(!JSON.stringify(outcome).includes("hunter2"));
  });

  it("meta-data comes back whole, chatter of a success does not", () => {
    const long = "x".repeat(10_000);
    const metadata = exitedOutcome(action({ operation: "meta-data" }), ended(0, { stdout: long }), 1);
    assert.equal(metadata.kind === "exited" && metadata.output.length, 10_000);
    const start = exitedOutcome(action({ operation: "start" }), ended(0, { stdout: long }), 1);
    assert.equal(start.kind === "exited" && start.output, "");
    const failed = exitedOutcome(action({ operation: "start" }), ended(1, { stderr: long }), 1);
    assert.equal(failed.kind === "exited" && failed.output.length, 2_048);
  });
});

describe("the environment of OCF 1.1", () => {
  const settings = {
    ocfRoot: "/usr/lib/ocf",
    temporaryDirectory: "/run/q/agents",
    inherited: { PATH: "/opt/bin:relative:/usr/bin", HOME: "/root", NODE_OPTIONS: "--inspect", SECRET: "x" },
    extra: { HA_SBIN_DIR: "/opt/sbin" },
    markers: { QUORATE_GUARDIAN: "g" },
  };
  const environment = ocfEnvironment(
    action({ intervalMs: 10_000, params: { ip: "10.0.0.9", OCF_CHECK_LEVEL: "10" }, meta: { "clone-max": "2", notify_type: "pre" } }),
    settings,
  );
  const expected: Readonly<Record<string, string | undefined>> = {
    OCF_ROOT: "/usr/lib/ocf",
    OCF_RA_VERSION_MAJOR: "1",
    OCF_RA_VERSION_MINOR: "1",
    OCF_RESOURCE_INSTANCE: "r1",
    OCF_RESOURCE_PROVIDER: "heartbeat",
    OCF_RESOURCE_TYPE: "Dummy",
    OCF_RESKEY_ip: "10.0.0.9",
    OCF_CHECK_LEVEL: "10",
    OCF_RESKEY_CRM_meta_interval: "10000",
    OCF_RESKEY_CRM_meta_timeout: "20000",
    OCF_RESKEY_CRM_meta_name: "monitor",
    OCF_RESKEY_CRM_meta_on_node: "n1",
    OCF_RESKEY_CRM_meta_clone_max: "2",
    OCF_RESKEY_CRM_meta_notify_type: "pre",
    OCF_EXIT_REASON_PREFIX: "ocf-exit-reason:",
    HA_RSCTMP: "/run/q/agents",
    HA_SBIN_DIR: "/opt/sbin",
    HA_LOGFACILITY: "none",
    PATH: "/opt/bin:/usr/bin:/sbin:/bin:/usr/sbin",
    HOME: "/root",
    QUORATE_GUARDIAN: "g",
    QUORATE_RSC: "r1",
    NODE_OPTIONS: undefined,
    SECRET: undefined,
  };
  for (const [name, value] of Object.entries(expected))
    it(`${name} is ${value ?? "not passed on"}`, () => assert.equal(environment[name], value));
});

describe("fence agents", () => {
  const metadata = `<resource-agent><parameters><parameter name="action" unique="0"><content/></parameter>
    <parameter unique="0" name="plug" required="1"/><parameter name='ip'/></parameters></resource-agent>`;

  it("meta-data names the parameters", () => assert.deepEqual([...parameterNames(metadata)], ["action", "plug", "ip"]));

  const choices: readonly (readonly [Readonly<Record<string, string>>, string | null, string | null, string])[] = [
    [{}, metadata, "plug", "plug when the agent knows no port"],
    [{}, metadata.replace("plug", "port"), "port", "port first"],
    [{}, "<parameters/>", null, "neither: the device has one victim"],
    [{}, null, "plug", "no meta-data"],
    [{ pcmk_host_argument: "uuid" }, metadata, "uuid", "configured"],
    [{ pcmk_host_argument: "none" }, metadata, null, "configured: none"],
  ];
  for (const [params, text, expected, rule] of choices) it(rule, () => assert.equal(hostArgument(params, text), expected));

  const maps: readonly (readonly [string, string, string])[] = [
    ["n1:4;n2:5,6", "n2", "5,6"],
    ["n1:4 n2:5", "n2", "5"],
    ["n1:4", "n3", "n3"],
    ["", "n1", "n1"],
  ];
  for (const [map, target, port] of maps) {
    it(`map '${map}' calls ${target} ${port}`, () => assert.equal(hostPort({ pcmk_host_map: map }, target), port));
  }

  const off = action({
    agentClass: "stonith",
    operation: "off",
    target: "n2",
    params: { ip: "10.0.0.1", password: "p w=d", pcmk_host_map: "n2:7" },
  });

  it("input holds parameters, target and action, and nothing of the cluster's own", () => {
    assert.equal(fenceInput(off, "plug"), "ip=10.0.0.1\npassword=p w=d\naction=off\nnodename=n2\nplug=7\n");
  });

  it("an explicit plug stays, a dynamic one is replaced", () => {
    assert.match(fenceInput({ ...off, params: { plug: "9" } }, "plug") ?? "", /^plug=9$/m);
    assert.match(fenceInput({ ...off, params: { plug: "dynamic" } }, "plug") ?? "", /^plug=n2$/m);
  });

  it("a line break in a value is refused, since it would be another argument", () => {
    assert.equal(fenceInput({ ...off, params: { ip: "1\naction=on" } }, "plug"), null);
  });

  it("operations can be renamed", () => {
    assert.equal(fenceOperation({ ...off, operation: "reboot", params: { pcmk_reboot_action: "off" } }), "off");
    assert.equal(fenceOperation({ ...off, operation: "meta-data" }), "metadata");
  });
});

describe("places and names", () => {
  const places = { ocfRoot: "/o", providers: { quorate: "/q" }, fenceDirectories: ["/f", "/usr/sbin"], initDirectory: "/i" };
  const table: readonly (readonly [Partial<AgentAction>, readonly string[]])[] = [
    [{}, ["/o/resource.d/heartbeat/Dummy"]],
    [{ provider: null }, ["/o/resource.d/heartbeat/Dummy"]],
    [{ provider: "quorate", type: "web" }, ["/q/web", "/o/resource.d/quorate/web"]],
    [{ agentClass: "stonith", type: "fence_x" }, ["/f/fence_x", "/usr/sbin/fence_x"]],
    [{ agentClass: "lsb", type: "redis-server" }, ["/i/redis-server"]],
    [{ type: "../../bin/sh" }, []],
    [{ provider: "..", type: "x" }, []],
    [{ agentClass: "stonith", type: "external/ssh" }, []],
  ];
  for (const [over, paths] of table) {
    it(`${JSON.stringify(over)} -> ${paths.join(" ") || "refused"}`, () => assert.deepEqual(agentPaths(action(over), places), paths));
  }

  it("unit names get their suffix once", () => {
    assert.deepEqual(["nginx", "getty@tty1", "data.mount"].map(unitName), ["nginx.service", "getty@tty1.service", "data.mount"]);
  });

  it("a control group's name holds any id", () => assert.equal(groupName("db:0/x"), "r-db_3a0_2fx"));

  it("our own version 2 group is found among others", () => {
    const mounts = "cgroup /sys/fs/cgroup/pids cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
    assert.equal(ownGroupPath(mounts, "8:pids:/x\n0::/system.slice/q.service\n"), "/sys/fs/cgroup/unified/system.slice/q.service");
    assert.equal(ownGroupPath("proc /proc proc rw 0 0\n", "0::/\n"), null);
  });

  it("a process name may hold anything", () => {
    const text = `42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0`;
    assert.deepEqual(parseStat(text), { pid: 42, state: "S", ppid: 1, pgid: 42, sid: 42, startTicks: 98_765 });
  });

  it("systemctl's properties are read", () => assert.deepEqual(readProperties("A=1\nB=x=y\n\n"), { A: "1", B: "x=y" }));
});
