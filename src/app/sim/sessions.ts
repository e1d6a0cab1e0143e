import type { Random } from "../../core/base/index.ts";
import type { VirtualHost } from "./host.ts";
import type { World } from "./world.ts";

type Client = { readonly client: number; sequence: number };

/** Repeats of one command, each after a random time at a random member, and how far apart at most; milliseconds. */
const REPEATS_MAX = 3;
const REPEAT_WITHIN_MS = 4_000;
const CLIENTS_MAX = 4;

/**
 * Programs that send their commands under a session, again and again and to several members, because they do not know
 * what became of them. Invariant C3 reads off the log that each was done at most once.
 */
export class Sessions {
  readonly #world: World;
  readonly #clients: Client[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  act(host: VirtualHost, draw: Random): void {
    this.#adopt();
    const client = this.#clients[draw.below(Math.max(1, this.#clients.length))];
    if (client === undefined || (this.#clients.length < CLIENTS_MAX && draw.below(4) === 0)) {
      this.#world.proposeAs(host, null, { kind: "session.open" });
      return;
    }
    client.sequence += 1;
    const origin = { client: client.client, sequence: client.sequence };
    const change = { node: host.name, name: `session-${client.client}`, value: String(client.sequence) };
    const command = { kind: "attribute.set", changes: [change] } as const;
    this.#world.proposeAs(host, origin, command);
    for (let repeats = draw.below(REPEATS_MAX + 1); repeats > 0; repeats -= 1) {
      const at = this.#world.hosts[draw.below(this.#world.hosts.length)] ?? host;
      this.#world.time.after(draw.fraction() * REPEAT_WITHIN_MS, "repeated command", () => this.#world.proposeAs(at, origin, command));
    }
  }

  /** A session is known by the log index that opened it. */
  #adopt(): void {
    for (const session of this.#world.replica.sessions.values()) {
      if (!this.#clients.some(({ client }) => client === session.client)) this.#clients.push({ client: session.client, sequence: 0 });
    }
  }
}
