import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { LiveCluster } from "./live-cluster.ts";

/** What a daemon finds that was killed in the middle of `cluster init`: its phase, and what its status warns of. */
test("an init that was cut off leaves a node that says so and can begin again", { timeout: 120_000 }, async () => {
  const cluster = await LiveCluster.apart(1, 0);
  after(() => cluster.destroy());
  const [node] = cluster.nodes;
  assert.ok(node !== undefined);
  await cluster.request(node, "ping");
  await cluster.signal(node, "daemon", "SIGKILL");
  // The cut falls after the store and the name were written, before the identity that makes it a member.
  mkdirSync(join(node.directory, "store"), { mode: 0o700 });
  mkdirSync(join(node.directory, "identity"), { mode: 0o700 });
  writeFileSync(join(node.directory, "identity", "new-cluster-name"), "half", { mode: 0o600 });
  cluster.startDaemon(node);
  const before = (await cluster.request(node, "status")) as { readonly phase: string; readonly warnings: readonly string[] };
  assert.equal(before.phase, "uninitialised");
  assert.match(before.warnings.join("\n"), /identity holds no identity, but there is a store: .*`cluster join ADDRESS --token TOKEN`/);
  await cluster.request(node, "cluster.init", { name: "whole" });
  const status = (await cluster.request(node, "status")) as unknown as {
    readonly cluster: { readonly name: string };
    readonly warnings: readonly string[];
  };
  assert.equal(status.cluster.name, "whole");
  assert.doesNotMatch(status.warnings.join("\n"), /no identity/);
  assert.equal(existsSync(join(node.directory, "identity", "new-cluster-name")), false);
});
