import type { Random } from "../../core/base/index.ts";
import { canonicalText, type Element, element } from "../../core/cib/index.ts";
import type { VirtualHost } from "./host.ts";
import { Violation } from "./invariant.ts";
import { checkLinearizable, describe, type Operation, type Value } from "./linearizability.ts";
import { nvpairs } from "./services.ts";
import type { Answer, World } from "./world.ts";

const KEYS = 2;
const CLIENTS = 5;
/** Operations of which nobody knows what became are what makes the search long. */
const UNKNOWN_MAX = 12;

type Open = { readonly client: number; readonly key: string; readonly callAt: number };

/**
 * Registers in the configuration, read and compared-and-set by a few clients at any member while faults strike (RAFT.md
 * §10 C1, §12). A register is one object; its value is the text of its one option.
 */
export class Registers {
  readonly #world: World;
  readonly #history: Operation[] = [];
  readonly #busy = new Set<number>();
  /** What each client last saw of a key: what it compares with. */
  readonly #seen = new Map<string, Value>();
  readonly #waiting: { readonly host: VirtualHost; readonly member: number; readonly index: number; readonly done: () => void }[] = [];
  #count = 0;
  #unknown = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get history(): readonly Operation[] {
    return this.#history;
  }

  act(host: VirtualHost, draw: Random): void {
    const client = draw.below(CLIENTS);
    const key = `register-${draw.below(KEYS)}`;
    if (this.#busy.has(client)) return;
    this.#busy.add(client);
    const open: Open = { client, key, callAt: this.#world.time.nowMs };
    const what = draw.below(3);
    if (what === 0 && this.#unknown < UNKNOWN_MAX) this.#compareAndSet(host, open);
    else if (what === 1) this.#readThroughApi(host, open);
    else this.#readFromCore(this.#world.leader() ?? host, open);
  }

  #compareAndSet(host: VirtualHost, open: Open): void {
    const { client, key } = open;
    this.#count += 1;
    const value = `v${this.#count}`;
    const expect = this.#seen.get(`${client}/${key}`) ?? null;
    const before = expect === null ? null : canonicalText(register(key, expect));
    const edit = { section: "crm_config", id: key, before, after: register(key, value) };
    // Until an answer comes, and if none ever does, nobody knows what became of it.
    const place = this.#history.push({ ...open, op: "cas", expect, value }) - 1;
    this.#unknown += 1;
    this.#world.request(host, "config.commit", { edits: [edit] }, (answer) => {
      this.#busy.delete(client);
      const conflict = "error" in answer && answer.error.code === "CIB_CONFLICT";
      if ("error" in answer && !conflict) return;
      this.#unknown -= 1;
      if (!conflict) this.#seen.set(`${client}/${key}`, value);
      this.#history[place] = { ...open, op: "cas", expect, value, returnAt: this.#world.time.nowMs, result: !conflict };
    });
    // A daemon that died answers nothing: the client gives up, and what became of the change nobody knows.
    this.#world.time.after(GIVE_UP_MS, "client gives up", () => this.#busy.delete(client));
  }

  #readThroughApi(host: VirtualHost, open: Open): void {
    this.#world.request(host, "cib.get", { section: "configuration" }, (answer) => {
      this.#busy.delete(open.client);
      if ("result" in answer) this.#returned(open, valueIn(answer, open.key));
    });
    this.#world.time.after(GIVE_UP_MS, "client gives up", () => this.#busy.delete(open.client));
  }

  /** By the leader's lease where the plan allows it, else confirmed by a round. */
  #readFromCore(host: VirtualHost, open: Open): void {
    const { member, incarnation } = host;
    this.#world.read(host, this.#world.plan.leaseReads, (outcome) => {
      if (outcome.kind !== "ready") {
        this.#busy.delete(open.client);
        return;
      }
      const done = (): void => {
        this.#busy.delete(open.client);
        if (host.member !== member || host.incarnation !== incarnation) return;
        const section = host.shell?.core.state.sections.crm_config;
        if (section !== undefined) this.#returned(open, valueAt(section.objects.get(open.key)?.element));
      };
      this.#waiting.push({ host, member, index: outcome.index, done });
      this.#served();
    });
    this.#world.time.after(GIVE_UP_MS, "client gives up", () => this.#busy.delete(open.client));
  }

  /** Reads whose index their member has applied meanwhile are answered there and then. */
  #served(): void {
    for (const waiting of [...this.#waiting]) {
      const { host, member, index, done } = waiting;
      const state = host.member === member ? host.shell?.core.state : undefined;
      if (state !== undefined && state.index < index) {
        this.#world.time.after(1, "read", () => this.#served());
        continue;
      }
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      done();
    }
  }

  #returned(open: Open, result: Value): void {
    this.#seen.set(`${open.client}/${open.key}`, result);
    this.#history.push({ ...open, op: "read", returnAt: this.#world.time.nowMs, result });
  }

  /** RAFT.md §10 C1: the whole history, as the clients saw it. An undecided search does not pass. */
  check(): void {
    const verdict = checkLinearizable(this.#history);
    if (verdict.kind === "linearizable") return;
    if (verdict.kind === "unknown") throw new Violation("C1", `the search gave up on ${verdict.key} after ${verdict.states} states`);
    const last = verdict.prefix.at(-1);
    const after = last === undefined ? "at the beginning" : `after ${describe(last)}`;
    throw new Violation("C1", `${describe(verdict.stuck)} fits nowhere ${after}`);
  }
}

/** A client waits this long for an answer, milliseconds. */
const GIVE_UP_MS = 20_000;

function register(key: string, value: string): Element {
  return element("cluster_property_set", { id: key, score: "-1" }, nvpairs(key, { [`sim-${key}`]: value }));
}

function valueAt(of: Element | undefined): Value {
  return of?.children[0]?.attributes["value"] ?? null;
}

function valueIn(answer: Extract<Answer, { readonly result: unknown }>, key: string): Value {
  const { cib } = answer.result as { readonly cib: Element };
  const options = cib.children.find(({ name }) => name === "crm_config");
  return valueAt(options?.children.find(({ attributes }) => attributes["id"] === key));
}
