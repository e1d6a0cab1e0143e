import type { MemberId } from "../../core/base/index.ts";
import type { Configuration } from "../../core/raft/index.ts";
import { ApiFault, connectApi } from "../../io/api/index.ts";
import type { NodeIdentity } from "../../io/pki/index.ts";

/** Changes of who votes: only the leader knows who is there to agree, and a member that removes itself would not be told how that ended. */
const MEMBERSHIP_METHODS: ReadonlySet<string> = new Set(["cluster.votes", "cluster.promote", "cluster.demote", "cluster.remove"]);
/** Only the leader can hand its office over, and only it knows how far the others' logs are. */
const LEADER_METHODS: ReadonlySet<string> = new Set(["cluster.transfer", "cluster.status", ...MEMBERSHIP_METHODS]);

/** A forwarded request may take so long, milliseconds; the local answer, where there is one, follows then. */
const FORWARD_TIMEOUT_MS = 5_000;
/** A change of the membership waits for its commit. */
const MEMBERSHIP_TIMEOUT_MS = 60_000;

/** Must the leader itself answer? */
export function isForLeader(method: string): boolean {
  return LEADER_METHODS.has(method);
}

export type Forward = {
  readonly leader: MemberId;
  readonly configuration: Configuration;
  readonly identity: NodeIdentity;
};

/**
 * Asks the leader in this node's name, over the API of its TLS port. Throws the leader's own refusal, or an
 * `API_UNREACHABLE` of the last address that was tried.
 */
export async function askLeader(to: Forward, method: string, params: unknown): Promise<unknown> {
  let failed: unknown = new ApiFault("the leader's address is not known", { code: "NO_LEADER", retryable: true });
  for (const address of to.configuration.members.get(to.leader)?.addresses ?? []) {
    const at = address.lastIndexOf(":");
    const host = address.slice(0, at).replace(/^\[|\]$/g, "");
    try {
      const { authorityPem: ca, certificatePem: certificate, privateKeyPem: key } = to.identity;
      const client = await connectApi({ kind: "tls", host, port: Number(address.slice(at + 1)), ca, certificate, key });
      try {
        return await client.request(method, params, {
          timeoutMs: MEMBERSHIP_METHODS.has(method) ? MEMBERSHIP_TIMEOUT_MS : FORWARD_TIMEOUT_MS,
        });
      } finally {
        client.close();
      }
    } catch (error) {
      if (!(error instanceof ApiFault) || error.detail.code !== "API_UNREACHABLE") throw error;
      failed = error;
    }
  }
  throw failed;
}
