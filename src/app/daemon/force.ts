import { join } from "node:path";
import { QuorateError } from "../../core/base/index.ts";
import type { Proposal } from "../../core/cib/index.ts";
import type { Log } from "../../core/ports/index.ts";
import { type Configuration, emptyConfiguration, forceNewCluster, type Restored } from "../../core/raft/index.ts";
import { monotonicMs } from "../../io/executor/index.ts";
import type { NodeIdentity } from "../../io/pki/index.ts";
import { openStoreDirectory } from "../../io/storage/index.ts";
import { proposalCodec } from "./codecs.ts";
import type { DaemonSettings } from "./settings.ts";

/**
 * Writes `force-new-cluster` into the store of a member that does not run: what its log holds counts as committed, and a
 * configuration with this member alone follows. Returns the names of the members that are left behind.
 */
export async function forceStore(of: {
  readonly settings: DaemonSettings;
  readonly identity: NodeIdentity;
  readonly log: Log;
}): Promise<readonly string[]> {
  const { settings, identity, log } = of;
  const opened = await openStoreDirectory<Proposal>({
    directory: join(settings.directory, "store"),
    commands: proposalCodec,
    expected: { cluster: identity.cluster, member: identity.member, nodeName: settings.node },
    fileSystem: settings.fileSystem,
    now: monotonicMs,
    log,
  });
  if (opened.kind !== "opened") {
    throw new QuorateError("this member's memory is lost, so it cannot become the cluster", { code: "MEMBER_AMNESIA" });
  }
  const { store, loaded } = opened;
  try {
    const before = configurationOf(loaded.restored);
    const row = before.members.get(identity.member) ?? { name: settings.node, addresses: settings.advertise, incarnation: null };
    const forced = forceNewCluster<Proposal>(loaded.restored, { id: identity.member, member: row });
    await store.save({ hard: forced.hard, entries: forced.entries.slice(-1), snapshot: null, recovered: loaded.restored.recovering });
    return [...before.members].filter(([member]) => member !== identity.member).map(([, other]) => other.name);
  } finally {
    await store.close();
  }
}

/** The latest configuration that the store knows. */
function configurationOf(restored: Restored<Proposal>): Configuration {
  for (const entry of [...restored.entries].reverse()) if (entry.kind === "config") return entry.configuration;
  return restored.snapshot?.configuration ?? emptyConfiguration();
}
