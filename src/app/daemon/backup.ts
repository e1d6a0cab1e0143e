import { createHash } from "node:crypto";
import { type CibState, encodeSnapshot, type SnapshotData } from "../../core/cib/index.ts";

/** Version of the backup's form. */
export const BACKUP_VERSION = 1;

/** A backup: the whole replicated state, and the SHA-256 of its JSON text in lower-case hex. It holds secrets of agents. */
export type Backup = {
  readonly format: "quorate-backup";
  readonly version: number;
  /** Version of Quorate that wrote it. */
  readonly by: string;
  readonly createdAtMs: number;
  readonly cluster: { readonly id: string; readonly name: string } | null;
  readonly index: number;
  readonly epoch: number;
  readonly sha256: string;
  readonly snapshot: SnapshotData;
};

export function makeBackup(state: CibState, of: { readonly version: string; readonly wallMs: number }): Backup {
  const snapshot = encodeSnapshot(state);
  const sha256 = createHash("sha256").update(JSON.stringify(snapshot)).digest("hex");
  const { cluster, index, epoch } = state;
  return {
    format: "quorate-backup",
    version: BACKUP_VERSION,
    by: of.version,
    createdAtMs: of.wallMs,
    cluster: cluster === null ? null : { id: cluster.id, name: cluster.name },
    index,
    epoch,
    sha256,
    snapshot,
  };
}
