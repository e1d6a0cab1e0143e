import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { term } from "../../src/core/base/index.ts";
import { hasMarkers, isAlive, listProcesses, processesOf, readProcess } from "../../src/io/agents/index.ts";
import { monotonicMs } from "../../src/io/executor/index.ts";
import { action, eventually, GuardianUnderTest, origin, plan, ROOT, step } from "./support.ts";

/** A provider directory with one agent made of these shell lines; returns the settings that name it. */
function agentOf(guardian: { readonly directory: string }, lines: string, settings: Readonly<Record<string, unknown>> = {}): void {
  const directory = join(guardian.directory, "provider");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "agent"), `#!/bin/sh\n${lines}\n`);
  chmodSync(join(directory, "agent"), 0o755);
  writeFileSync(
    join(guardian.directory, "guardian.json"),
    JSON.stringify({ node: "n1", selfFence: "kill", providers: { test: directory }, stopMs: 1_500, killMs: 500, ...settings }),
  );
}

const OWN = { provider: "test", type: "agent" } as const;

describe("the guardian process", () => {
  const guardians: GuardianUnderTest[] = [];
  const make = (settings: Readonly<Record<string, unknown>> = {}): GuardianUnderTest => {
    const guardian = new GuardianUnderTest(settings);
    guardians.push(guardian);
    return guardian;
  };
  after(async () => {
    for (const guardian of guardians) await guardian.dispose();
  });

  it("takes only its owner's connections and refuses a second guardian", async () => {
    const guardian = make();
    await guardian.start();
    assert.equal(statSync(guardian.socketPath).mode & 0o777, 0o600);
    const second = spawn(process.execPath, guardian.arguments, { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    second.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const code = await new Promise((resolve) => second.once("exit", resolve));
    assert.equal(code, 1);
    assert.match(said, /GUARDIAN_ALREADY_RUNNING/);
  });

  it("runs an action once, however often it is asked, and keeps the result until it is acknowledged", async () => {
    const guardian = make();
    await guardian.start();
    const first = await guardian.connect();
    const { incarnation } = first.welcome;
    const params = { ledger: guardian.ledger };
    first.link.send({ kind: "plan", plan: plan(1, [step({ params })]) });
    first.link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    const run = { kind: "run", key: "k1", origin: origin({ term: 1, incarnation }), action: action({ params }), planVersion: 1 } as const;
    first.link.send(run);
    first.link.send(run);
    const result = await first.link.next("result");
    assert.deepEqual({ ...result.outcome, elapsedMs: 0 }, { kind: "exited", code: 0, reason: null, output: "", elapsedMs: 0 });
    first.link.socket.destroy();

    const second = await guardian.connect({ daemonBoot: 2 });
    assert.deepEqual(
      second.welcome.results.map((kept) => kept.key),
      ["k1"],
    );
    second.link.send(run);
    assert.equal((await second.link.next("result")).key, "k1");
    second.link.send({ kind: "result.ack", key: "k1" });
    second.link.socket.destroy();

    const third = await guardian.connect({ daemonBoot: 2 });
    assert.deepEqual(third.welcome.results, []);
    assert.deepEqual(
      guardian.ledgerLines().map((line) => line.operation),
      ["start"],
    );
    third.link.socket.destroy();
  });

  it("stops all resources when the deadline passes, whether or not the daemon still breathes", async () => {
    const guardian = make();
    await guardian.start();
    const { link, welcome } = await guardian.connect();
    const params = { ledger: guardian.ledger };
    const web = { resource: "web", type: "web", params: { ...params, port: String(20_000 + (process.pid % 10_000)) } };
    link.send({ kind: "plan", plan: plan(1, [step({ ...web, stage: 0 }), step({ resource: "r1", params, stage: 1 })]) });
    link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    for (const each of [action({ params }), action(web)]) {
      link.send({ kind: "run", key: `start ${each.resource}`, origin: origin({ term: 1, ...welcome }), action: each, planVersion: 1 });
    }
    await link.next("result", (result) => result.key === "start web" && result.outcome.kind === "exited" && result.outcome.code === 0);
    await link.next("result", (result) => result.key === "start r1");
    link.socket.destroy();
    await guardian.restartWithoutDeadline();
    const again = await guardian.connect();
    assert.equal(again.welcome.planVersion, 1);
    const atMs = monotonicMs() + 300;
    again.link.send({ kind: "deadline", term: term(2), atMonotonicMs: atMs });
    const tripped = await again.link.next("tripped");
    assert.ok(monotonicMs() >= atMs && Math.abs(tripped.atMonotonicMs - atMs) < 0.001);
    assert.deepEqual((await again.link.next("stopped")).resource, "web", "stages run in order");
    assert.deepEqual(await again.link.next("stopped"), { kind: "stopped", resource: "r1", proven: true });
    await again.link.next("walked");
    assert.deepEqual(
      guardian
        .ledgerLines()
        .slice(2)
        .map((line) => `${line.operation} ${line.resource}`),
      ["stop web", "stop r1"],
    );
    again.link.send({
      kind: "run",
      key: "late",
      origin: origin({ term: 2, ...again.welcome }),
      action: action({ params }),
      planVersion: 1,
    });
    assert.equal((await again.link.next("refused")).code, "DEADLINE_PASSED");
    // Contact regained: a new deadline lets starts through again.
    again.link.send({ kind: "deadline", term: term(2), atMonotonicMs: monotonicMs() + 600_000 });
    again.link.send({
      kind: "run",
      key: "later",
      origin: origin({ term: 2, ...again.welcome }),
      action: action({ params }),
      planVersion: 1,
    });
    assert.equal((await again.link.next("result")).key, "later");
    again.link.socket.destroy();
    await guardian.kill();
  });

  it("kills what a hanging stop leaves, also processes that left their group, and proves it by the monitor", async () => {
    const guardian = make();
    const state = join(guardian.directory, "pids");
    agentOf(
      guardian,
      `case $1 in
        start) setsid sh -c 'echo $$ >>${state}; while :; do sleep 100; done' & sh -c 'trap "" TERM; echo $$ >>${state}; sleep 1000' & sleep 0.2; exit 0 ;;
        stop) kill -STOP $$ ;;
        monitor) while read -r pid; do [ -d /proc/$pid ] && ! grep -q ' Z ' /proc/$pid/stat && exit 0; done <${state}; exit 7 ;;
      esac`,
    );
    await guardian.start();
    const { link, welcome } = await guardian.connect();
    link.send({ kind: "plan", plan: plan(1, [step(OWN)]) });
    link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    link.send({ kind: "run", key: "k", origin: origin({ term: 1, ...welcome }), action: action(OWN), planVersion: 1 });
    await link.next("result");
    const pids = readFileSync(state, "utf8").trim().split("\n").map(Number);
    assert.equal(pids.length, 2);
    const started = pids.map((pid) => ({ pid, startTicks: readProcess(pid)?.startTicks ?? 0 }));
    for (const each of started) assert.equal(isAlive(each.pid, each.startTicks), true);
    link.socket.destroy();
    await guardian.restartWithoutDeadline();
    const again = await guardian.connect();
    again.link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 50 });
    await again.link.next("tripped");
    assert.deepEqual(await again.link.next("stopped"), { kind: "stopped", resource: "r1", proven: true });
    for (const each of started) assert.equal(isAlive(each.pid, each.startTicks), false);
    again.link.socket.destroy();
  });

  it("finds by its control group a daemon that left its session and its environment", async (context) => {
    const guardian = make();
    const state = join(guardian.directory, "pid");
    agentOf(
      guardian,
      `case $1 in
        start) setsid env -i /bin/sh -c 'echo $$ >${state}; exec sleep 1000' >/dev/null 2>&1 & while [ ! -s ${state} ]; do sleep 0.01; done ;;
        stop) exit 1 ;;
        monitor) read -r pid <${state}; kill -0 $pid 2>/dev/null && ! grep -q ') Z ' /proc/$pid/stat && exit 0; exit 7 ;;
      esac`,
    );
    await guardian.start();
    if (!existsSync(join(guardian.directory, "run", "cgroup"))) {
      context.skip("no writable control groups of version 2 here");
      return;
    }
    const { link, welcome } = await guardian.connect();
    link.send({ kind: "plan", plan: plan(1, [step(OWN)]) });
    link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    link.send({ kind: "run", key: "k", origin: origin({ term: 1, ...welcome }), action: action(OWN), planVersion: 1 });
    await link.next("result");
    const pid = Number(readFileSync(state, "utf8"));
    const startTicks = readProcess(pid)?.startTicks ?? 0;
    assert.ok(isAlive(pid, startTicks));
    assert.deepEqual(processesOf("r1", { guardianId: welcome.incarnation, cgroups: null, systemdDirectory: "/nonexistent" }), []);
    link.send({ kind: "self-fence", reason: "a test" });
    assert.deepEqual(await link.next("stopped"), { kind: "stopped", resource: "r1", proven: true });
    assert.equal(isAlive(pid, startTicks), false);
    link.socket.destroy();
  });

  it("takes up its work again after kill -9: resources stay, interrupted actions run anew, ten times", async () => {
    const guardian = make();
    // A start that takes as long as the test wants, and notes each time that it came to its end.
    const gate = join(guardian.directory, "gate");
    agentOf(
      guardian,
      `[ "$1" = start ] || exit 0; while [ ! -e ${gate} ]; do sleep 0.05; done; echo 0 n1 slow start 0 >>${guardian.ledger}`,
    );
    await guardian.start();
    const params = { ledger: guardian.ledger };
    const port = String(30_000 + (process.pid % 10_000));
    const web = action({ resource: "web", type: "web", params: { ...params, port } });
    const slow = (operation: string): ReturnType<typeof action> => action({ ...OWN, resource: "slow", operation, timeoutMs: 600_000 });
    const first = await guardian.connect();
    const from = origin({ term: 1, ...first.welcome });
    first.link.send({ kind: "plan", plan: plan(1, [step({ ...web, operation: "stop" }), step({ ...slow("stop") })]) });
    first.link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    first.link.send({ kind: "run", key: "web", origin: from, action: web, planVersion: 1 });
    await first.link.next("result", (result) => result.outcome.kind === "exited" && result.outcome.code === 0);
    const serverPid = guardian.ledgerLines()[0]?.pid ?? 0;
    const server = readProcess(serverPid);
    assert.ok(server !== null);
    first.link.socket.destroy();
    let orphans: number[] = [];
    for (let round = 1; round <= 10; round += 1) {
      const { link, welcome } = await guardian.connect();
      assert.deepEqual(
        orphans.filter((pid) => marked("slow", guardian).includes(pid)),
        [],
        "the orphan is dead",
      );
      assert.equal(welcome.incarnation, first.welcome.incarnation);
      assert.equal(welcome.planVersion, 1);
      assert.ok(Number.isFinite(welcome.deadlineMonotonicMs));
      assert.deepEqual(
        welcome.results.map((kept) => kept.key),
        ["web"],
      );
      if (round === 1) {
        link.send({ kind: "run", key: "slow", origin: from, action: slow("start"), planVersion: 1 });
        await eventually(() => marked("slow", guardian).length > 0, "the slow start runs");
      } else {
        assert.deepEqual(
          welcome.running.map((running) => running.key),
          ["slow"],
        );
        await eventually(() => marked("slow", guardian).length > 0, "the slow start runs again");
      }
      orphans = marked("slow", guardian);
      link.socket.destroy();
      await guardian.kill();
      await guardian.start();
    }
    writeFileSync(gate, "");
    const { link } = await guardian.connect();
    const slowResult = await link.next("result", (result) => result.key === "slow");
    assert.equal(slowResult.outcome.kind === "exited" && slowResult.outcome.code, 0);
    assert.deepEqual(
      guardian.ledgerLines().map((line) => `${line.operation} ${line.resource}`),
      ["start web", "start slow"],
    );
    assert.equal(readProcess(serverPid)?.startTicks, server.startTicks, "the service was never touched");
    link.send({ kind: "run", key: "stop web", origin: from, action: { ...web, operation: "stop" }, planVersion: 1 });
    await link.next("result", (result) => result.key === "stop web");
    link.socket.destroy();
  });

  it("is killed by the local fence switch with all its resources, frozen or not, and comes back as another incarnation", async () => {
    const guardian = make();
    await guardian.start();
    const { link, welcome } = await guardian.connect();
    const params = { ledger: guardian.ledger, port: String(40_000 + (process.pid % 10_000)) };
    const web = action({ resource: "web", type: "web", params });
    link.send({ kind: "plan", plan: plan(1, [step({ ...web, operation: "stop" })]) });
    link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    link.send({ kind: "run", key: "web", origin: origin({ term: 1, ...welcome }), action: web, planVersion: 1 });
    await link.next("result", (result) => result.outcome.kind === "exited" && result.outcome.code === 0);
    const serverPid = guardian.ledgerLines()[0]?.pid ?? 0;
    const serverTicks = readProcess(serverPid)?.startTicks ?? 0;
    process.kill(guardian.pid, "SIGSTOP");
    process.kill(serverPid, "SIGSTOP");
    const map = `n1:${guardian.directory}`;
    assert.deepEqual(await fence({ action: "status", plug: "n1", map }), { code: 0, said: "" });
    assert.deepEqual(await fence({ action: "off", plug: "n1", map }), { code: 0, said: "" });
    assert.equal(isAlive(serverPid, serverTicks), false);
    assert.deepEqual(
      listProcesses().filter((info) => info.pid === guardian.pid),
      [],
    );
    assert.equal((await fence({ action: "status", plug: "n1", map })).code, 2);
    assert.deepEqual(processesOf("web", { guardianId: welcome.incarnation, cgroups: null, systemdDirectory: "/nonexistent" }), []);
    await guardian.kill();
    await guardian.start();
    const reborn = await guardian.connect();
    assert.notEqual(reborn.welcome.incarnation, welcome.incarnation);
    assert.equal(reborn.welcome.planVersion, 0);
    reborn.link.send({ kind: "plan", plan: plan(1, [step({ ...web, operation: "stop" })]) });
    reborn.link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    reborn.link.send({ kind: "run", key: "old", origin: origin({ term: 1, ...welcome }), action: web, planVersion: 1 });
    assert.equal((await reborn.link.next("refused")).code, "OLD_INCARNATION");
    reborn.link.socket.destroy();
  });

  it("feeds its watchdog until the deadline, and no more while anything exclusive is unproven", async () => {
    const guardian = make();
    const fifo = join(guardian.directory, "dog");
    assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
    const dog = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const bytes = (): number => {
      try {
        return readSync(dog, Buffer.alloc(4_096));
      } catch {
        return 0;
      }
    };
    agentOf(guardian, '[ "$1" != stop ]', { watchdog: fifo, watchdogMs: 400 });
    await guardian.start();
    const { link, welcome } = await guardian.connect();
    assert.equal(welcome.guarantee, "watchdog");
    let fed = 0;
    await eventually(() => {
      fed += bytes();
      return fed >= 3;
    }, "three feeds");
    link.send({ kind: "plan", plan: plan(1, [step(OWN)]) });
    link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 200 });
    await link.next("walked");
    bytes();
    // Absence takes time to see: five feeds' worth.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(bytes(), 0);
    link.socket.destroy();
    closeSync(dog);
  });

  it("survives garbage, a giant frame and strangers on its socket", async () => {
    const guardian = make();
    await guardian.start();
    for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from([0x40, 0, 0, 0]), Buffer.from([0, 0, 0, 2, 0xc1, 0xc1])]) {
      const { link } = await guardian.connect();
      link.socket.write(bytes);
      await link.end();
    }
    const { link } = await guardian.connect();
    link.socket.destroy();
  });
});

/** Pids of the processes of a resource, by their marks. */
function marked(resource: string, guardian: GuardianUnderTest): number[] {
  const marks = [`QUORATE_NODE_DIR=${guardian.directory}`, `QUORATE_RSC=${resource}`];
  return listProcesses()
    .map((info) => info.pid)
    .filter((pid) => hasMarkers(pid, marks));
}

async function fence(input: Readonly<Record<string, string>>): Promise<{ readonly code: number; readonly said: string }> {
  const child: ChildProcess = spawn(join(ROOT, "agents/fence/fence_quorate_local"), [], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdin?.end(
    Object.entries(input)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const code = await new Promise<number>((resolve) => child.once("exit", (exitCode) => resolve(exitCode ?? -1)));
  return { code, said };
}
