import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DemoCluster, type DemoNode, sleep, until } from "../../../scripts/demo-cluster.ts";
import { nodeState } from "../../../scripts/demo-failover.ts";
import { seededRandom } from "../../../src/core/base/index.ts";
import { attributeOf, type Element, element, walk } from "../../../src/core/cib/index.ts";
import { ApiFault } from "../../../src/io/api/index.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? "7");
const DAEMON_KILLS = Number(process.env["QUORATE_DAEMON_KILLS"] ?? "20");
const GUARDIAN_KILLS = Number(process.env["QUORATE_GUARDIAN_KILLS"] ?? "5");

/** A node that does not listen is passed over after this time, milliseconds. */
const CONNECT_MS = 50;
/** Within this time a restarted daemon must be a member again, however busy the machine is. */
const BACK_MS = 60_000;

/**
 * Writes one object after the other to whoever answers, and remembers what was acknowledged. Small objects of their own: an
 * edit carries the whole object, and a start reads the whole log.
 */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #cluster: DemoCluster;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();
  constructor(cluster: DemoCluster) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const node = this.#cluster.nodes[number % this.#cluster.nodes.length]!;
      const name = `change-${number}`;
      try {
        const api = await this.#cluster.api(node, CONNECT_MS);
        const after = element("tag", { id: name }, [element("obj_ref", { id: "a" })]);
        await api.request("config.commit", { edits: [{ section: "tags", id: name, before: null, after }] }, { timeoutMs: 5_000 });
        this.acknowledged.push(name);
      } catch (error) {
        // Refused, unknown or nobody there: only what was acknowledged is promised.
        if (!(error instanceof ApiFault) && !(error instanceof Error && error.message.includes("does not answer"))) throw error;
      }
    }
  }
}

async function prepare(): Promise<{ cluster: DemoCluster; ledger: string; writer: Writer }> {
  const cluster = await DemoCluster.create(mkdtempSync(join(tmpdir(), "quorate-demo-")), 3);
  const writer = new Writer(cluster);
  after(async () => {
    await writer.stop();
    await cluster.destroy();
  });
  // Nothing is lengthened: a supervisor that restarts the daemon within 300 ms must be quick enough for the defaults.
  await cluster.form("kills");
  const ledger = join(cluster.base, "ledger");
  const lines = ["a", "b", "c", "d", "e", "f"].map(
    (id) => `primitive ${id} ocf:quorate:dummy params ledger=${ledger} op monitor interval=1s`,
  );
  const power = `primitive power stonith:fence_quorate_local params base="${cluster.base}" pcmk_host_list="n1 n2 n3"`;
  await cluster.quorate(cluster.nodes[0]!, ["-w", "configure"], [...lines, power, "property stonith-enabled=true", ""].join("\n"));
  return { cluster, ledger, writer };
}

/** What must hold when all is over: nothing was started or stopped again, nobody fenced, nothing acknowledged is gone. */
async function check(cluster: DemoCluster, ledgerBefore: string, ledger: string, writer: Writer): Promise<void> {
  const node = cluster.nodes[0]!;
  // Nothing acknowledged, or nothing ever started, would prove nothing.
  assert.ok(writer.acknowledged.length > 0, "changes were acknowledged meanwhile");
  assert.ok(ledgerBefore.includes("start"), "resources had been started");
  assert.equal(readFileSync(ledger, "utf8"), ledgerBefore, "no resource was touched");
  const { history } = await cluster.request(node, "fencing.history");
  assert.deepEqual(history, [], "nobody was fenced");
  for (const each of cluster.nodes) {
    const { cib } = await cluster.request(each, "cib.get", { section: "configuration" });
    const there = new Set([...walk(cib as Element)].filter((item) => item.name === "tag").map((item) => attributeOf(item, "id")));
    const missing = writer.acknowledged.filter((name) => !there.has(name));
    assert.deepEqual(missing, [], `${each.name} has all ${writer.acknowledged.length} acknowledged changes`);
  }
}

/** The victim is back when it has brought a change of its own through: until then its status is only what others say of it. */
async function everybodyOnline(cluster: DemoCluster, victim: DemoNode): Promise<void> {
  await cluster.api(victim, BACK_MS);
  await until(`${victim.name} takes part again`, BACK_MS, async () => {
    const back = { node: victim.name, name: "back", value: String(Date.now()), lifetime: "forever" };
    await cluster.request(victim, "node.attribute", back, 5_000);
    return true;
  });
  await until(`${victim.name} online again`, BACK_MS, async () => {
    const status = await cluster.request(victim, "status", {}, 2_000);
    return status["quorate"] === true && cluster.nodes.every((node) => nodeState(status, node.name) === "online");
  });
}

test(`${DAEMON_KILLS} daemons killed under a stream of changes (seed ${SEED})`, {
  timeout: 400_000,
  skip: DAEMON_KILLS === 0,
}, async () => {
  const { cluster, ledger, writer } = await prepare();
  const random = seededRandom(SEED);
  const ledgerBefore = readFileSync(ledger, "utf8");
  writer.start();
  for (let kill = 0; kill < DAEMON_KILLS; kill += 1) {
    const victim = cluster.nodes[random.below(3)]!;
    // The moment is what the test varies; nothing waits for this time to have passed.
    await sleep(random.below(300));
    const pid = cluster.pidOf(victim, "daemon");
    assert.ok(pid !== null, `the daemon of ${victim.name} runs before kill ${kill}`);
    process.kill(pid, "SIGKILL");
    await sleep(random.below(300));
    cluster.startDaemon(victim);
    await everybodyOnline(cluster, victim);
  }
  await writer.stop();
  assert.ok(writer.acknowledged.length > DAEMON_KILLS, `${writer.acknowledged.length} changes were acknowledged`);
  await check(cluster, ledgerBefore, ledger, writer);
});

test(`${GUARDIAN_KILLS} guardians killed under a stream of changes (seed ${SEED})`, {
  timeout: 200_000,
  skip: GUARDIAN_KILLS === 0,
}, async () => {
  const { cluster, ledger, writer } = await prepare();
  const random = seededRandom(SEED + 1);
  const ledgerBefore = readFileSync(ledger, "utf8");
  writer.start();
  for (let kill = 0; kill < GUARDIAN_KILLS; kill += 1) {
    const victim = cluster.nodes[random.below(3)]!;
    await sleep(random.below(300));
    const pid = cluster.pidOf(victim, "guardian");
    assert.ok(pid !== null, `the guardian of ${victim.name} runs before kill ${kill}`);
    process.kill(pid, "SIGKILL");
    await sleep(random.below(300));
    cluster.startGuardian(victim);
    await until(`the guardian of ${victim.name}`, 20_000, () => cluster.pidOf(victim, "guardian") !== null);
    await everybodyOnline(cluster, victim);
  }
  await writer.stop();
  await check(cluster, ledgerBefore, ledger, writer);
});
