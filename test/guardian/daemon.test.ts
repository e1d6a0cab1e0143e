import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readProcess } from "../../src/io/agents/index.ts";
import { eventually, GuardianUnderTest, ROOT } from "./support.ts";

const DAEMON = join(ROOT, "dist/src/app/daemon/main.js");
const MISSING = existsSync(DAEMON) ? null : "not built (npx tsc -b)";
if (MISSING !== null) process.stderr.write(`SKIPPED: guardian beside a real daemon: ${MISSING}\n`);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("the guardian beside a real daemon", { skip: MISSING ?? false }, () => {
  const guardian = new GuardianUnderTest();
  let daemon: ChildProcess | null = null;
  let port = 0;
  const startDaemon = (): void => {
    const log = openSync(join(guardian.directory, "quorated.log"), "a");
    const args = [DAEMON, "--dir", guardian.directory, "--node", "n1", "--listen", `127.0.0.1:${port}`];
    daemon = spawn(process.execPath, args, { stdio: ["ignore", log, log] });
  };
  const quorate = (...words: string[]): string => {
    const socket = join(guardian.directory, "run/api.sock");
    const done = spawnSync(join(ROOT, "scripts/quorate"), ["--socket", socket, ...words], { encoding: "utf8", timeout: 60_000 });
    return `${done.status === 0 ? "" : "failed: "}${done.stdout}${done.stderr}`;
  };
  const story = (): string[] => guardian.ledgerLines().map((line) => line.operation);
  const serverPid = (): number => guardian.ledgerLines().findLast((line) => line.operation === "start")?.pid ?? 0;

  before(async () => {
    port = await freePort();
    // Long enough for a daemon to come back on a busy machine, short enough to wait for.
    writeFileSync(join(guardian.directory, "quorated.json"), JSON.stringify({ selfFenceMs: 6_000, fileSystem: "any" }));
    await guardian.start();
    startDaemon();
    await eventually(() => existsSync(join(guardian.directory, "run/api.sock")), "the daemon's socket");
    assert.match(quorate("cluster", "init", "--name", "t"), /formed/);
    await eventually(() => quorate("status").includes("n1:  online"), "the node is online");
    quorate("configure", "property", "stonith-enabled=false");
    const servicePort = await freePort();
    quorate("configure", "primitive", "web", "ocf:quorate:web", "params", `port=${servicePort}`, `ledger=${guardian.ledger}`);
    await eventually(() => story().length === 1 && quorate("status").includes("Started n1"), "the service runs");
  });
  after(async () => {
    daemon?.kill("SIGKILL");
    await guardian.dispose();
  });

  it("a killed daemon comes back to its resources and touches none", async () => {
    const running = readProcess(serverPid())?.startTicks;
    assert.notEqual(running, undefined);
    daemon?.kill("SIGKILL");
    startDaemon();
    await eventually(() => quorate("status").includes("Started n1"), "the daemon is back");
    assert.deepEqual(story(), ["start"]);
    assert.equal(readProcess(serverPid())?.startTicks, running);
  });

  it("a frozen daemon proves nothing: the guardian stops all at the deadline; thawed, it starts them again", async () => {
    daemon?.kill("SIGSTOP");
    await eventually(() => story().at(-1) === "stop", "the guardian has stopped the service");
    assert.match(readFileSync(join(guardian.directory, "ledger"), "utf8"), / web stop /);
    daemon?.kill("SIGCONT");
    await eventually(() => story().at(-1) === "start" && quorate("status").includes("Started n1"), "the service runs again");
    assert.deepEqual(story(), ["start", "stop", "start"]);
  });
});
