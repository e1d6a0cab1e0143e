import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkoutRoot, until } from "../../scripts/demo-cluster.ts";
import { afterDeath } from "../support/outlive.ts";

/*
 * A node as the tour installs it: units of a real systemd in a throw-away host of namespaces. What an operator does to the
 * services, and what a reboot of the host does, must end in a clean goodbye. Needs root.
 */
const ROOT = checkoutRoot();
const PROGRAM = join(ROOT, "scripts/lab/lab");
const LAB = `s${(process.pid % 46_656).toString(36)}`;

function missing(): string | null {
  if (process.getuid?.() !== 0) return "not root";
  if (!existsSync("/lib/systemd/systemd")) return "systemd is not installed";
  if (spawnSync("nft", ["--version"]).status !== 0) return "nftables is not installed";
  return null;
}

const MISSING = missing();
const disk = MISSING === null ? mkdtempSync(join("/var/tmp", "qlab-")) : "";
if (MISSING !== null) process.stderr.write(`SKIPPED: a node in a systemd host: ${MISSING}\n`);

function lab(...args: string[]): { readonly code: number; readonly said: string } {
  const done = spawnSync(PROGRAM, args, {
    env: { ...process.env, LAB, LAB_INIT: "systemd", LAB_NET: "10.96", LAB_BIND: ROOT, LAB_DIR: disk },
    encoding: "utf8",
    timeout: 120_000,
  });
  return { code: done.status ?? -1, said: `${done.stdout}${done.stderr}` };
}

function inHost(script: string): string {
  const done = lab("exec", "n1", "sh", "-c", script);
  assert.equal(done.code, 0, `${script}: ${done.said}`);
  return done.said;
}

const active = (unit: string): string => inHost(`systemctl show -p ActiveState --value ${unit}`).trim();
/** What the agent of `d` noted, oldest first. */
const noted = (): string[] =>
  inHost("cat /data/ledger")
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[3] ?? "");

describe("a node in a host with systemd", { skip: MISSING ?? false, timeout: 480_000 }, () => {
  before(async () => {
    // This file's time limit ends it with a signal that nobody catches.
    afterDeath(PROGRAM, ["down"], { LAB });
    const up = lab("up", "1");
    assert.equal(up.code, 0, `the lab is up: ${up.said}`);
    await until("systemd is up", 60_000, () => /running|degraded/.test(lab("exec", "n1", "systemctl", "is-system-running").said));
    inHost(`ln -sfn ${ROOT} /opt/quorate; ln -s /opt/quorate/scripts/quorate /usr/local/sbin/quorate
      cp /opt/quorate/scripts/systemd/*.service /etc/systemd/system/ && systemctl daemon-reload
      systemctl enable --now quorate-guardian quorated`);
    await until("the daemon listens", 60_000, () => lab("exec", "n1", "quorate", "status").code === 0);
    inHost("quorate cluster init --name one");
    inHost("quorate -w configure primitive d ocf:quorate:dummy params ledger=/data/ledger op monitor interval=10s");
    assert.deepEqual(noted(), ["start"]);
  });
  after(() => {
    lab("down");
    rmSync(disk, { recursive: true, force: true });
  });

  it("restarts its daemon without a resource noticing; the command returns when the node is a member again", () => {
    inHost("quorate cluster restart");
    assert.match(inHost("quorate status"), /^Cluster one: quorate/);
    assert.deepEqual(noted(), ["start"]);
  });

  it("stays away after `cluster stop`, and comes back with `cluster start`", async () => {
    inHost("quorate cluster stop");
    await until("the unit has ended", 20_000, () => active("quorated") === "inactive");
    assert.deepEqual(noted(), ["start", "stop"]);
    // A daemon that is to be started again is `activating` (auto-restart) while the unit waits: systemd has decided, by this status.
    assert.equal(inHost("systemctl show -p SubState -p ExecMainStatus --value quorated | sort | xargs").trim(), "100 dead");
    inHost("quorate cluster start; quorate cluster wait_for_startup; quorate cluster wait");
    assert.deepEqual(noted(), ["start", "stop", "start"]);
  });

  it("leaves before its host goes down, and is back when the host is", async () => {
    lab("exec", "n1", "systemctl", "poweroff");
    await until("the host is down", 60_000, () => lab("exec", "n1", "true").code !== 0);
    const on = lab("on", "n1");
    assert.equal(on.code, 0, on.said);
    await until("the daemon listens", 60_000, () => lab("exec", "n1", "quorate", "status").code === 0);
    inHost("quorate cluster wait_for_startup; quorate cluster wait");
    assert.deepEqual(noted(), ["start", "stop", "start", "stop", "start"]);
    assert.doesNotMatch(inHost("quorate status"), /Fencing/);
  });
});
