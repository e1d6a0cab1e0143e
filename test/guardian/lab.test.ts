import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { term } from "../../src/core/base/index.ts";
import type { AgentAction } from "../../src/core/ports/index.ts";
import { monotonicMs } from "../../src/io/executor/index.ts";
import { afterDeath } from "../support/outlive.ts";
import { action, Conversation, eventually, origin, plan, ROOT, step } from "./support.ts";

/*
 * The guardian as a unit of a real systemd, in a throw-away host of namespaces: units, delegated control groups, the systemd
 * class, an address that must go away, and a real reset of that host. Needs root.
 */
const PROGRAM = join(ROOT, "scripts/lab/lab");
// Its own prefix for each run: two runs at once must not take each other down.
const LAB = `q${(process.pid % 46_656).toString(36)}`;

function missing(): string | null {
  if (process.getuid?.() !== 0) return "not root";
  if (!existsSync("/lib/systemd/systemd")) return "systemd is not installed";
  if (!existsSync(join(ROOT, "dist/src/app/guardian/main.js"))) return "not built (npx tsc -b)";
  if (spawnSync("nft", ["--version"]).status !== 0) return "nftables is not installed";
  return null;
}

const MISSING = missing();
const disk = MISSING === null ? mkdtempSync(join("/var/tmp", "qlab-")) : "";
if (MISSING !== null) process.stderr.write(`SKIPPED: guardian in a systemd host: ${MISSING}\n`);

// Hosts have a /tmp of their own, and the checkout may lie there: it is bound into them.
function lab(...args: string[]): { readonly code: number; readonly said: string } {
  const done = spawnSync(PROGRAM, args, {
    env: { ...process.env, LAB, LAB_INIT: "systemd", LAB_NET: "10.98", LAB_BIND: ROOT, LAB_DIR: disk },
    encoding: "utf8",
    timeout: 60_000,
  });
  return { code: done.status ?? -1, said: `${done.stdout}${done.stderr}` };
}

function inHost(script: string): string {
  const done = lab("exec", "n1", "sh", "-c", script);
  assert.equal(done.code, 0, `${script}: ${done.said}`);
  return done.said;
}

const UNIT: Partial<AgentAction> = { resource: "unit", agentClass: "systemd", provider: null, type: "tsleep" };
const ADDRESS: Partial<AgentAction> = { resource: "vip", provider: "test", type: "address" };
const STICKY: Partial<AgentAction> = { resource: "sticky", provider: "test", type: "sticky" };
const SETUP = `mkdir -p /opt/test /var/lib/quorate; ln -sfn ${ROOT} /opt/quorate
cp ${ROOT}/scripts/systemd/*.service /etc/systemd/system/
printf '[Service]\\nExecStart=/bin/sleep 1000\\n' >/etc/systemd/system/tsleep.service
cat >/opt/test/address <<'AGENT'
#!/bin/sh
held() { ip -4 -o addr show dev eth0 | grep -q 10.98.0.77/; }
case $1 in
  start) held || ip addr add 10.98.0.77/24 dev eth0 ;;
  stop) held || exit 0; ip addr del 10.98.0.77/24 dev eth0 ;;
  monitor) held || exit 7 ;;
esac
AGENT
printf '#!/bin/sh\\n[ "$1" != stop ]\\n' >/opt/test/sticky
chmod +x /opt/test/*
echo '{"providers":{"test":"/opt/test"}}' >/var/lib/quorate/guardian.json
systemctl daemon-reload; systemctl start quorate-guardian`;

describe("the guardian in a host with systemd", { skip: MISSING ?? false }, () => {
  let root = "";
  before(async () => {
    // This file's time limit ends it with a signal that nobody catches.
    afterDeath(PROGRAM, ["down"], { LAB });
    const up = lab("up", "1");
    assert.equal(up.code, 0, `the lab is up: ${up.said}`);
    const pid = lab("pid", "n1").said.trim();
    // The test speaks to the host's socket through its mount namespace; the clock is the same kernel's.
    root = `/proc/${pid}/root`;
    await eventually(() => /running|degraded/.test(lab("exec", "n1", "systemctl", "is-system-running").said), "systemd is up");
    inHost(SETUP);
    await eventually(() => existsSync(`${root}/run/quorate/guardian.sock`), "the guardian's socket");
  });
  after(() => {
    lab("down");
    rmSync(disk, { recursive: true, force: true });
  });

  const connect = async (): ReturnType<typeof hello> => hello(`${root}/run/quorate/guardian.sock`);
  const runner = (of: Awaited<ReturnType<typeof hello>>, atTerm: number) => {
    let count = 0;
    return async (over: Partial<AgentAction>): Promise<number> => {
      count += 1;
      const key = `${atTerm}-${count}`;
      of.link.send({ kind: "run", key, origin: origin({ term: atTerm, ...of.welcome }), action: action(over), planVersion: 0 });
      const { outcome } = await of.link.next("result", (result) => result.key === key);
      of.link.send({ kind: "result.ack", key });
      return outcome.kind === "exited" ? outcome.code : -1;
    };
  };

  it("runs units by the systemd and service classes", async () => {
    const of = await connect();
    assert.deepEqual([of.welcome.guarantee, of.welcome.kernelGuarantee], ["guardian", "guardian"]);
    of.link.send({ kind: "plan", plan: plan(1, [step(UNIT), step(ADDRESS)]) });
    of.link.send({ kind: "deadline", term: term(1), atMonotonicMs: monotonicMs() + 600_000 });
    const run = runner(of, 1);
    assert.equal(await run({ ...UNIT, operation: "monitor" }), 7);
    assert.equal(await run({ ...UNIT, operation: "start" }), 0);
    assert.equal(await run({ ...UNIT, agentClass: "service", operation: "monitor" }), 0);
    assert.equal(await run({ ...UNIT, type: "nosuch", operation: "monitor" }), 5);
    inHost("systemctl kill -s KILL tsleep");
    await eventually(() => inHost("systemctl show -p ActiveState tsleep").includes("failed"), "the unit has failed");
    assert.equal(await run({ ...UNIT, operation: "monitor" }), 7);
    assert.equal(await run({ ...UNIT, operation: "start" }), 0);
    assert.equal(await run({ ...ADDRESS, operation: "start" }), 0);
    of.link.socket.destroy();
  });

  it("is restarted and killed without any resource noticing, and keeps its plan", async () => {
    const before = inHost("systemctl show -p MainPID tsleep");
    for (const way of ["systemctl restart quorate-guardian", "kill -9 $(cat /run/quorate/guardian.pid)"]) {
      const pid = readFileSync(`${root}/run/quorate/guardian.pid`, "utf8");
      inHost(way);
      await eventually(() => readFileSync(`${root}/run/quorate/guardian.pid`, "utf8") !== pid, "systemd has started it anew");
      const of = await connect();
      assert.equal(of.welcome.planVersion, 1);
      assert.equal(await runner(of, 1)({ ...ADDRESS, operation: "monitor" }), 0);
      of.link.socket.destroy();
    }
    assert.equal(inHost("systemctl show -p MainPID tsleep"), before);
  });

  it("takes the address down at the deadline, without a reset", async () => {
    inHost("systemctl stop quorate-guardian; : >/run/quorate/guardian.deadline; systemctl start quorate-guardian");
    const of = await connect();
    of.link.send({ kind: "deadline", term: term(2), atMonotonicMs: monotonicMs() + 100 });
    await of.link.next("walked");
    assert.ok(!inHost("ip -4 -o addr show dev eth0").includes("10.98.0.77"));
    of.link.send({ kind: "deadline", term: term(3), atMonotonicMs: monotonicMs() + 600_000 });
    of.link.socket.destroy();
  });

  it("resets the host when a resource cannot be proven stopped", async () => {
    const of = await connect();
    of.link.send({ kind: "plan", plan: plan(2, [step(STICKY)]) });
    assert.equal(await runner(of, 3)({ ...STICKY, operation: "start" }), 0);
    of.link.socket.destroy();
    inHost("systemctl stop quorate-guardian; : >/run/quorate/guardian.deadline; systemctl start quorate-guardian");
    const last = await connect();
    last.link.send({ kind: "deadline", term: term(4), atMonotonicMs: monotonicMs() + 100 });
    await eventually(() => !existsSync(root), "the host is gone");
    assert.notEqual(lab("exec", "n1", "true").code, 0);
    last.link.socket.destroy();
  });
});

async function hello(path: string): Promise<{
  readonly link: Conversation;
  readonly welcome: Extract<Awaited<ReturnType<Conversation["first"]>>, { readonly kind: "welcome" }>;
}> {
  // Between a stop and a start nobody listens: try until somebody does.
  for (let round = 0; ; round += 1) {
    const link = new Conversation(path);
    link.send({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 });
    try {
      return { link, welcome: await link.next("welcome") };
    } catch (error) {
      if (round >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
