import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { incarnation, logIndex, memberId } from "../../src/core/base/index.ts";
import {
  apply,
  type CibState,
  type Command,
  type ConfigurationEdit,
  canonicalText,
  type Element,
  element,
  emptyState,
} from "../../src/core/cib/index.ts";
import { type FromPlanner, Planner } from "../../src/core/controller/index.ts";

const START_MS = 1_700_000_000_000;
const hash = (text: string): string => createHash("md5").update(text).digest("hex");

const pairs = (owner: string, values: Readonly<Record<string, string>>): readonly Element[] =>
  Object.entries(values).map(([name, value]) => element("nvpair", { id: `${owner}-${name}`, name, value }));

function service(id: string, meta: Readonly<Record<string, string>>): Element {
  const children = [element("meta_attributes", { id: `${id}-meta` }, pairs(`${id}-meta`, meta))];
  return element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, children);
}

function put(section: ConfigurationEdit["section"], after: Element, before: Element | null = null): ConfigurationEdit {
  return { section, id: after.attributes["id"] ?? "", before: before === null ? null : canonicalText(before), after };
}

function hello(id: number): Command {
  const facts = { guarantee: "guardian", stopBoundMs: 4500, trips: 0, version: "1", featureLevelMax: 1 } as const;
  return { kind: "node.hello", memberId: memberId(id), incarnation: incarnation(`i${id}`), ...facts };
}

/** n2 is a worse place than any other from then on. */
const disfavoured = put("constraints", element("rsc_location", { id: "dislikes", rsc: "db", node: "n2", score: "-100" }));

/** Two nodes and services of which `db` prefers n2 a little; the log goes on by hand, the decisions are the policy engine's. */
class Story {
  state: CibState = emptyState();
  readonly #planner = new Planner({ schedule: schedulePlan, hash, elapsedMs: () => 0 });

  constructor(edits: readonly ConfigurationEdit[]) {
    const options = { "start-failure-is-fatal": "false", "stonith-enabled": "true" };
    const prefers = element("rsc_location", { id: "likes", rsc: "db", node: "n2", score: "1" });
    this.log(0, { kind: "cluster.create", clusterId: "00112233aabbccdd", name: "c", node: "n1", memberId: memberId(1) });
    this.log(0, { kind: "node.join", node: "n2", memberId: memberId(2) }, hello(1), hello(2));
    const first = put("crm_config", element("cluster_property_set", { id: "options" }, pairs("options", options)));
    this.log(0, { kind: "config.edit", edits: [first, ...edits, put("constraints", prefers)] });
    // Every service is looked for everywhere first.
    for (const begun of this.begin(0)) assert.match(begun, /^monitor /u);
    this.end(0, 7);
  }

  log(atMs: number, ...commands: readonly Command[]): void {
    for (const command of commands) {
      const applied = apply(this.state, logIndex(this.state.index + 1), { atMs: START_MS + atMs, origin: null, command });
      assert.ok(applied.result.ok, JSON.stringify(applied.result));
      this.state = applied.state;
    }
  }

  /** What a leader that begins now would commit. */
  #decide(atMs: number): Extract<Command, { kind: "intents.commit" }> | null {
    const nowMs = START_MS + atMs;
    this.#planner.handle({ kind: "load", state: this.state });
    const out: readonly FromPlanner[] = this.#planner.handle({ kind: "lead", session: 1, node: "n1", nowMs });
    for (const answer of out) {
      if (answer.kind !== "step") continue;
      for (const command of answer.commands) if (command.kind === "intents.commit") return command;
    }
    return null;
  }

  /** Commits what is decided now, and says what it was: `task resource node`. */
  begin(atMs: number): readonly string[] {
    const command = this.#decide(atMs);
    if (command === null) return [];
    this.log(atMs, command);
    return command.intents.map(({ task, resource, node }) => `${task} ${resource} ${node}`).sort();
  }

  /** All that is in flight ends with this code. */
  end(atMs: number, rc: number): void {
    for (const intent of this.state.intents.values()) {
      const id = intent.node === "n1" ? 1 : 2;
      const result = { key: intent.key, rc, status: 0, exitReason: null, execTimeMs: 1, covered: true } as const;
      this.log(atMs, { kind: "results.record", memberId: memberId(id), incarnation: incarnation(`i${id}`), results: [result] });
    }
  }
}

test("a start in flight is one, also within the second in which the one before it failed", () => {
  const story = new Story([put("resources", service("db", { "migration-threshold": "3" }))]);
  assert.deepEqual(story.begin(1_000), ["start db n2"]);
  story.end(1_100, 1);
  assert.deepEqual(story.begin(1_200), ["stop db n2"]);
  story.end(1_300, 0);
  assert.deepEqual(story.begin(1_400), ["start db n2"]);
  story.log(1_500, { kind: "config.edit", edits: [disfavoured] });
  assert.deepEqual(story.begin(1_600), []);
});

test("a start in flight is one, also after more than failure-timeout", () => {
  const story = new Story([put("resources", service("db", { "failure-timeout": "10s" }))]);
  assert.deepEqual(story.begin(1_000), ["start db n2"]);
  story.log(15_000, { kind: "config.edit", edits: [disfavoured] });
  assert.deepEqual(story.begin(15_100), []);
});

test("what is tied to a stop in flight that the present plan does not know of begins when it is over", () => {
  const together = element("rsc_colocation", { id: "place", rsc: "app", "with-rsc": "db", score: "INFINITY" });
  const order = element("rsc_order", { id: "order", first: "db", then: "app", kind: "Mandatory" });
  const services = ["db", "app", "web"].map((id) => put("resources", service(id, {})));
  const story = new Story([...services, put("constraints", together), put("constraints", order)]);
  assert.deepEqual(story.begin(1_000), ["start db n2", "start web n1"]);
  story.end(1_100, 0);
  assert.deepEqual(story.begin(1_200), ["start app n2"]);
  story.end(1_300, 0);
  const stopped = service("db", { "target-role": "Stopped" });
  story.log(2_000, { kind: "config.edit", edits: [put("resources", stopped, service("db", {}))] });
  assert.deepEqual(story.begin(2_100), ["stop app n2"]);
  story.end(2_200, 0);
  assert.deepEqual(story.begin(2_300), ["stop db n2"]);
  // The operator thinks better of it while the stop runs. To the policy engine db still runs, so that app could start beside it.
  const wanted = put("resources", service("db", {}), stopped);
  const unrelated = put("resources", service("web", { "target-role": "Stopped" }), service("web", {}));
  story.log(2_400, { kind: "config.edit", edits: [wanted, unrelated] });
  assert.deepEqual(story.begin(2_500), ["stop web n1"]);
  story.end(2_600, 0);
  assert.deepEqual(story.begin(2_700), ["start db n2"]);
  story.end(2_800, 0);
  assert.deepEqual(story.begin(2_900), ["start app n2"]);
});

test("a promotion waits until the promoted copy has been looked for where the history is forgotten", () => {
  const meta = element("meta_attributes", { id: "ha-meta" }, pairs("ha-meta", { promotable: "true", "promoted-max": "1" }));
  const copies = element("clone", { id: "ha-clone" }, [meta, service("ha", {})]);
  const places = ["n1", "n2"].map((node) => {
    const place = { id: `promoted-${node}`, rsc: "ha-clone", role: "Promoted", node, score: "100" };
    return put("constraints", element("rsc_location", place));
  });
  const story = new Story([put("resources", service("db", {})), put("resources", copies), ...places]);
  assert.deepEqual(story.begin(1_000), ["start db n2", "start ha n1", "start ha n2"]);
  story.end(1_100, 0);
  assert.deepEqual(story.begin(1_200), ["promote ha n1"]);
  story.end(1_300, 0);
  const selection = { resource: "ha", node: "n1", operation: null, intervalMs: null, scope: "all" } as const;
  const standby: Command = { kind: "attribute.set", changes: [{ node: "n1", name: "standby", value: "on" }] };
  story.log(2_000, { kind: "history.delete", selection }, standby);
  assert.deepEqual(story.begin(2_100), ["monitor ha n1"]);
  story.end(2_200, 8);
  assert.deepEqual(story.begin(2_300), ["demote ha n1"]);
});

test("a node that falls silent while it shuts down is fenced first, although a cleanup has forgotten what runs there", () => {
  const story = new Story([put("resources", service("db", {}))]);
  assert.deepEqual(story.begin(1_000), ["start db n2"]);
  story.end(1_100, 0);
  const selection = { resource: "db", node: "n2", operation: null, intervalMs: null, scope: "all" } as const;
  const lost: Command = { kind: "node.lost", memberId: memberId(2), incarnation: incarnation("i2"), reason: "silent" };
  const shutdown: Command = { kind: "attribute.set", changes: [{ node: "n2", name: "shutdown", value: "1" }] };
  story.log(2_000, shutdown, { kind: "history.delete", selection }, lost);
  assert.deepEqual(story.begin(2_100), []);
  story.log(12_000, { kind: "node.fenced", target: "n2", incarnation: incarnation("i2"), by: "tsafe", action: "off" });
  assert.deepEqual(story.begin(12_100), ["start db n1"]);
});
