import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabCluster } from "../chaos/cluster.ts";

/** A host that is given up stays off until the story says otherwise, so a pause of a busy machine must not cost one. */
const TIMING = { nodeLossMs: 2_500, selfFenceMs: 8_000 };
/** Longest time of one deployment from boot to end, milliseconds. */
const STORY_MS = 240_000;

/** Seconds that a client waits for an answer. */
const ASK_SECONDS = 1;

/**
 * A cluster on hosts of a lab, configured through `quorate configure` and judged by a client host: what it gets from the
 * addresses, not what the cluster says of itself.
 */
export class Deployment {
  readonly cluster: LabCluster;
  #passed = 0;
  #failed = 0;

  private constructor(cluster: LabCluster) {
    this.cluster = cluster;
  }

  /** Boots, plays and takes down. A story that throws counts as one failure. */
  static async played(
    size: number,
    play: (deployment: Deployment) => Promise<void>,
  ): Promise<{ readonly passed: number; readonly failed: number }> {
    const cluster = await LabCluster.formed({ size, timing: TIMING });
    const deployment = new Deployment(cluster);
    let timer: NodeJS.Timeout | null = null;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done after ${STORY_MS} ms`)), STORY_MS);
      });
      await Promise.race([play(deployment), late]);
    } catch (error) {
      deployment.#failed += 1;
      process.stdout.write(`FAIL ${error instanceof Error ? error.message : String(error)}\n${cluster.story()}`);
      process.stdout.write(`${await deployment.statusText()}\nlogs: ${cluster.shared}\n`);
    } finally {
      if (timer !== null) clearTimeout(timer);
      await cluster.destroy(deployment.#failed > 0);
    }
    return { passed: deployment.#passed, failed: deployment.#failed };
  }

  /** One thing that was seen to hold. */
  holds(what: string): void {
    this.#passed += 1;
    process.stdout.write(`ok   ${what}\n`);
  }

  /** Waits until it holds, and counts it. */
  async becomes(what: string, timeoutMs: number, holds: () => Promise<boolean> | boolean): Promise<void> {
    const began = Date.now();
    await this.cluster.until(what, timeoutMs, holds);
    this.holds(`${what} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }

  /**
   * Loads text of the crm language, with the lab's power switch in front, and waits until nothing is left to do. Fenced hosts
   * stay off until the story gives them power again.
   */
  async configure(text: string): Promise<void> {
    const power = `primitive power stonith:fence_chaos params directory="${this.cluster.shared}/power" pcmk_host_list="${this.cluster.names.join(" ")}"
property stonith-action=off
`;
    await this.cluster.quorate("n1", ["-w", "configure"], `${power}${text}`);
  }

  /** What a client host in the lab gets from an address over HTTP; empty when nobody answers. */
  async ask(address: string): Promise<string> {
    try {
      return (await this.cluster.lab.exec("client", ["curl", "-s", "-m", String(ASK_SECONDS), `http://${address}/`])).trim();
    } catch {
      return "";
    }
  }

  /** The hardware address that the client host has learnt for an address. */
  async neighbour(address: string): Promise<string> {
    const text = await this.cluster.lab.exec("client", ["ip", "-4", "neigh", "show", address]);
    return /lladdr (\S+)/.exec(text)?.[1] ?? "";
  }

  /** nginx on a host, answering with the host's name and the service's. */
  prepareNginx(service: string, address: string): void {
    for (const name of this.cluster.names) {
      const directory = join(this.cluster.lab.data(name), service);
      mkdirSync(directory, { recursive: true });
      // Without an error log of its own, Debian's nginx holds the agent's output open for ever.
      writeFileSync(
        join(directory, "nginx.conf"),
        `pid /run/${service}.pid;
error_log /data/${service}/error.log;
events { worker_connections 64; }
http {
  access_log off;
  server { listen ${address}:80; location / { default_type text/plain; return 200 "${service} on ${name}\\n"; } }
}
`,
      );
    }
  }

  /** Text of the crm language for an address and a web server that go together. */
  group(service: string, address: string): string {
    return `primitive ${service}-ip ocf:heartbeat:IPaddr2 params ip=${address} cidr_netmask=24 nic=eth0 op monitor interval=5s timeout=20s
primitive ${service}-web ocf:heartbeat:nginx params configfile=/data/${service}/nginx.conf op monitor interval=5s timeout=30s op start interval=0 timeout=40s op stop interval=0 timeout=40s
group ${service} ${service}-ip ${service}-web
`;
  }

  /** Hosts that have the address on an interface, by their own account. */
  async holders(address: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const name of this.cluster.names) {
      if (!this.cluster.isPowered(name)) continue;
      const text = await this.cluster.lab.exec(name, ["ip", "-4", "-o", "address", "show"]).catch(() => "");
      if (text.includes(` ${address}/`)) found.push(name);
    }
    return found;
  }

  async statusText(): Promise<string> {
    for (const name of this.cluster.names) {
      try {
        return await this.cluster.quorate(name, ["status", "inactive"]);
      } catch {
        // This one is down; another may answer.
      }
    }
    return "nobody answers";
  }

  /** All nodes are online and nothing is left to do. */
  async settled(timeoutMs = 60_000): Promise<void> {
    await this.cluster.until("all nodes are online and idle", timeoutMs, async () => {
      for (const view of (await this.cluster.views()).values()) {
        if (view === null || view.nodes.some((node) => node.state !== "online") || view.transition.state !== "idle") return false;
      }
      await this.cluster.request(this.cluster.names[0] ?? "n1", "wait.idle", { timeoutMs: 10_000 });
      return true;
    });
  }
}
