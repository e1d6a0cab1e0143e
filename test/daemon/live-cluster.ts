import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, type DemoNode, type DemoPlan, sleep, until } from "../../scripts/demo-cluster.ts";

export { checkoutRoot } from "../../scripts/demo-cluster.ts";

const LOOK_MS = 20;

export type LiveNode = DemoNode;

/** The demo's launcher, with what tests ask of it: long deadlines, a witness, the common ledger, typed status. */
export class LiveCluster extends DemoCluster {
  readonly ledger: string;

  private constructor(plan: DemoPlan) {
    super(plan);
    this.ledger = join(this.base, "ledger");
  }

  /**
   * `selfFenceMs` is long by default: on a busy machine a daemon may need many seconds to come back, and these tests are
   * about what happens when it does. With `witness` the last node is one.
   */
  static async formed(
    size: number,
    options: { readonly selfFenceMs?: number; readonly witness?: boolean; readonly settings?: Readonly<Record<string, unknown>> } = {},
  ): Promise<LiveCluster> {
    // Unix sockets take 107 bytes of path, so the directory must be near the root.
    const cluster = new LiveCluster(await DemoCluster.plan(mkdtempSync(join("/var/tmp", "qt-")), size));
    const witness = options.witness === true ? cluster.nodes.at(-1) : undefined;
    const settings = { fileSystem: "strict", selfFenceMs: options.selfFenceMs ?? 40_000, ...options.settings };
    await cluster.form("live", settings, witness === undefined ? {} : { witness });
    const first = cluster.nodes[0]!;
    await cluster.until("all nodes online", 20_000, async () => {
      const status = await cluster.status(first);
      return status.nodes.length === size && status.nodes.every((node) => node.state === "online");
    });
    return cluster;
  }

  /** Nodes that belong to nothing yet: the test forms the cluster itself. Guardians run on the first `guardians` of them. */
  static async apart(size: number, guardians: number, settings: Readonly<Record<string, unknown>> = {}): Promise<LiveCluster> {
    const cluster = new LiveCluster(await DemoCluster.plan(mkdtempSync(join("/var/tmp", "qt-")), size));
    cluster.configureDaemons({ fileSystem: "strict", ...settings });
    for (const [at, node] of cluster.nodes.entries()) {
      if (at < guardians) cluster.startGuardian(node);
      cluster.startDaemon(node);
    }
    return cluster;
  }

  async status(node: LiveNode): Promise<LiveStatus> {
    return (await this.request(node, "status")) as LiveStatus;
  }

  /** Looks until it holds; a failure shows the logs. */
  async until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
    try {
      await until(what, timeoutMs, holds);
    } catch (error) {
      const logs = this.nodes.map((node) => this.logTail(node, 25)).join("\n");
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${logs}`, { cause: error });
    }
  }

  /** Lines of the common ledger: `<nanoseconds> <node> <resource> <action> <pid>`. */
  ledgerLines(): readonly (readonly string[])[] {
    if (!existsSync(this.ledger)) return [];
    return readFileSync(this.ledger, "utf8")
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "));
  }
}

export type LiveStatus = {
  readonly quorate: boolean;
  readonly leader: { readonly node: string } | null;
  readonly index: number;
  readonly epoch: number;
  readonly nodes: readonly { readonly name: string; readonly state: string; readonly incarnation: string | null }[];
  readonly fencing: {
    readonly pending: readonly unknown[];
    readonly history: readonly { readonly by: string; readonly ok: boolean; readonly target: string }[];
  };
  readonly transition: { readonly state: string };
};

export function pause(ms = LOOK_MS): Promise<void> {
  return sleep(ms);
}
