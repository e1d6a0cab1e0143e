import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { createSecureContext } from "node:tls";
import { renewIdentity } from "../../src/app/daemon/membership.ts";
import {
  CERTIFICATE_LIFE_MS,
  createRequest,
  isIssuedBy,
  issueCertificate,
  loadIdentity,
  type NodeIdentity,
  needsRenewal,
  readCertificate,
  saveIdentity,
} from "../../src/io/pki/index.ts";
import { LiveCluster } from "./live-cluster.ts";

/** The identity with a certificate that has a quarter of its life left. */
async function aged(identity: NodeIdentity, node: string): Promise<NodeIdentity> {
  assert.ok(identity.authorityKeyPem !== null, "every member holds what signs");
  const request = await createRequest(node);
  const certificatePem = await issueCertificate(
    { certificatePem: identity.authorityPem, privateKeyPem: identity.authorityKeyPem },
    {
      requestPem: request.requestPem,
      name: { kind: "member", cluster: identity.cluster, member: identity.member },
      label: node,
      hosts: ["127.0.0.1"],
      nowMs: Date.now() - CERTIFICATE_LIFE_MS * 0.75,
    },
  );
  return { ...identity, certificatePem, privateKeyPem: request.privateKeyPem };
}

test("a member signs itself a new certificate after two thirds of the old one's life, and links with it", {
  timeout: 120_000,
}, async () => {
  const cluster = await LiveCluster.formed(3);
  after(() => cluster.destroy());
  const [first, , third] = cluster.nodes;
  assert.ok(first !== undefined && third !== undefined);
  const directory = join(third.directory, "identity");
  await cluster.signal(third, "daemon", "SIGKILL");
  const before = await loadIdentity(directory);
  assert.ok(before !== null);
  assert.equal(needsRenewal(before.certificatePem, Date.now()), false);
  const old = await aged(before, "n3");
  assert.equal(needsRenewal(old.certificatePem, Date.now()), true);
  await saveIdentity(directory, old);
  cluster.startDaemon(third);
  let renewed = old;
  await cluster.until("the certificate is a young one", 20_000, async () => {
    renewed = (await loadIdentity(directory)) ?? old;
    return !needsRenewal(renewed.certificatePem, Date.now());
  });
  assert.notEqual(readCertificate(renewed.certificatePem).serial, readCertificate(old.certificatePem).serial);
  assert.ok(isIssuedBy(renewed.certificatePem, old.authorityPem, Date.now()));
  assert.deepEqual(readCertificate(renewed.certificatePem).name, readCertificate(old.certificatePem).name);
  assert.ok(createSecureContext({ cert: renewed.certificatePem, key: renewed.privateKeyPem }), "key and certificate belong together");
  // A restart uses nothing but the new one.
  await cluster.signal(third, "daemon", "SIGKILL");
  cluster.startDaemon(third);
  await cluster.until("n3 takes part", 20_000, async () => {
    await cluster.request(third, "node.attribute", { node: "n3", name: "renewed", value: "1", lifetime: "forever" });
    return (await cluster.status(first)).nodes.every((node) => node.state === "online");
  });
});

test("who may not sign does not renew", async () => {
  const identity = { cluster: "00112233aabbccdd", authorityKeyPem: null } as NodeIdentity;
  assert.equal(await renewIdentity(identity, { node: "n1", addresses: [], nowMs: Date.now() }), null);
});
