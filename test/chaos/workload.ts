import { type Random, seededRandom } from "../../src/core/base/index.ts";
import { type ConfigurationEdit, canonicalText, type Element, element } from "../../src/core/cib/index.ts";
import { type ApiClient, ApiFault } from "../../src/io/api/index.ts";
import type { Operation, Value } from "../support/linearizability.ts";
import { type LabCluster, pause } from "./cluster.ts";

/** Registers; each is a property set of the configuration with one value. */
const KEYS = 3;
const REQUEST_TIMEOUT_MS = 3_000;
/** Pause between two operations of a client: at least this, at most twice, milliseconds. */
const PACE_MS = 40;

const propertySet = (id: string, value: string): Element =>
  element("cluster_property_set", { id }, [element("nvpair", { id: `${id}-value`, name: id, value })]);

/**
 * One client at each node that reads and changes the configuration all the time: registers by compare-and-set, and marks
 * that are only added. What the clients saw is a history for the linearizability checker.
 */
export class Workload {
  readonly operations: Operation[] = [];
  /** Marks whose addition was acknowledged. */
  readonly acknowledged: string[] = [];
  readonly #cluster: LabCluster;
  readonly #seed: number;
  #going = true;
  #clients: readonly Promise<void>[] = [];

  constructor(cluster: LabCluster, seed: number) {
    this.#cluster = cluster;
    this.#seed = seed;
  }

  start(): void {
    this.#clients = this.#cluster.names.map((node, at) => this.#client(node, seededRandom(this.#seed * 31 + at)));
  }

  /** Changes that were acknowledged so far, of either kind. */
  get changes(): number {
    return this.acknowledged.length + this.operations.filter((one) => one.op === "cas" && one.result === true).length;
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#clients);
  }

  async #client(node: string, random: Random): Promise<void> {
    const known = new Map<string, Value>();
    let connection: ApiClient | null = null;
    for (let count = 1; this.#going; count += 1) {
      await pause(PACE_MS + random.below(PACE_MS));
      try {
        if (connection === null || connection.closed) connection = await this.#cluster.connect(node);
      } catch (error) {
        // Nothing was sent, so nothing can have happened.
        if (!(error instanceof ApiFault)) throw error;
        continue;
      }
      const key = `chaos-r${random.below(KEYS)}`;
      const draw = random.below(10);
      const value = `${node}.${count}`;
      if (draw < 5) await this.#read(connection, node, key, known);
      else if (draw < 8) await this.#swap(connection, node, { key, value, expect: known.get(key) ?? null }, known);
      else await this.#mark(connection, `chaos-m-${node}-${count}`);
    }
    connection?.close();
  }

  async #read(connection: ApiClient, client: string, key: string, known: Map<string, Value>): Promise<void> {
    const callAt = performance.now();
    try {
      const { cib } = (await connection.request("cib.get", { section: "configuration" }, { timeoutMs: REQUEST_TIMEOUT_MS })) as {
        cib: Element;
      };
      const result = registerOf(cib, key);
      known.set(key, result);
      this.operations.push({ client, key, op: "read", result, callAt, returnAt: performance.now() });
    } catch (error) {
      // A read that failed says nothing.
      if (!(error instanceof ApiFault)) throw error;
    }
  }

  async #swap(
    connection: ApiClient,
    client: string,
    swap: { readonly key: string; readonly expect: Value; readonly value: string },
    known: Map<string, Value>,
  ): Promise<void> {
    const { key, expect, value } = swap;
    const before = expect === null ? null : canonicalText(propertySet(key, expect));
    const edit: ConfigurationEdit = { section: "crm_config", id: key, before, after: propertySet(key, value) };
    const callAt = performance.now();
    const operation = { client, key, op: "cas", expect, value, callAt } as const;
    try {
      await connection.request("config.commit", { edits: [edit] }, { timeoutMs: REQUEST_TIMEOUT_MS });
      known.set(key, value);
      this.operations.push({ ...operation, result: true, returnAt: performance.now() });
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      if (error.detail.code === "CIB_CONFLICT") this.operations.push({ ...operation, result: false, returnAt: performance.now() });
      else this.operations.push(operation);
      known.delete(key);
      if (error.detail.code === "CIB_CONFLICT") await this.#read(connection, client, key, known);
    }
  }

  async #mark(connection: ApiClient, id: string): Promise<void> {
    const edit: ConfigurationEdit = { section: "crm_config", id, before: null, after: propertySet(id, "1") };
    try {
      await connection.request("config.commit", { edits: [edit] }, { timeoutMs: REQUEST_TIMEOUT_MS });
      this.acknowledged.push(id);
    } catch (error) {
      // Not acknowledged: it may have happened or not, both are right.
      if (!(error instanceof ApiFault)) throw error;
    }
  }

  /** The last read of every register, which the pruning of the history relies on; returns the configuration. */
  async finalReads(node: string): Promise<Element> {
    const connection = await this.#cluster.connect(node);
    let last: Element | null = null;
    for (let key = 0; key < KEYS; key += 1) {
      const callAt = performance.now();
      const { cib } = (await connection.request("cib.get", { section: "configuration" }, { timeoutMs: 10_000 })) as { cib: Element };
      last = cib;
      const name = `chaos-r${key}`;
      this.operations.push({ client: "final", key: name, op: "read", result: registerOf(cib, name), callAt, returnAt: performance.now() });
    }
    connection.close();
    if (last === null) throw new Error("no register was read");
    return last;
  }
}

function registerOf(cib: Element, key: string): Value {
  const config = (cib.name === "configuration" ? cib : cib.children.find((child) => child.name === "configuration"))?.children.find(
    (child) => child.name === "crm_config",
  );
  const set = config?.children.find((child) => child.attributes["id"] === key);
  return set?.children.find((pair) => pair.attributes["name"] === key)?.attributes["value"] ?? null;
}

/** Names of everything in `crm_config`. */
export function propertySets(cib: Element): ReadonlySet<string> {
  const config = (cib.name === "configuration" ? cib : cib.children.find((child) => child.name === "configuration"))?.children.find(
    (child) => child.name === "crm_config",
  );
  return new Set(config?.children.map((child) => child.attributes["id"] ?? ""));
}

/**
 * Leaves out swaps of unknown outcome whose value nobody ever saw. Every value is written once, every swap expects a value
 * that its client has seen, and every register is read at the end; so such a swap, had it happened, would have stayed to
 * be seen by the last read. Without this the checker has to try each of them everywhere.
 */
export function withoutUnseen(history: readonly Operation[]): readonly Operation[] {
  const seen = new Set<string>();
  for (const operation of history) {
    if (operation.op === "read" && operation.returnAt !== undefined) seen.add(`${operation.key} ${operation.result}`);
    if (operation.op === "cas") seen.add(`${operation.key} ${operation.expect}`);
  }
  return history.filter((one) => one.op !== "cas" || one.returnAt !== undefined || seen.has(`${one.key} ${one.value}`));
}
