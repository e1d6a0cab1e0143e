import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { incarnation, logIndex, memberId } from "../../src/core/base/index.ts";
import { apply, type CibState, type Command, type ConfigurationEdit, element, emptyState } from "../../src/core/cib/index.ts";
import { type FromPlanner, Planner } from "../../src/core/controller/index.ts";

const START_MS = 1_700_000_000_000;
const hash = (text: string): string => createHash("md5").update(text).digest("hex");

/** Two nodes and one service that prefers n2 a little; the log goes on by hand, the decisions are the policy engine's. */
class Story {
  state: CibState = emptyState();
  readonly #planner = new Planner({ schedule: schedulePlan, hash, elapsedMs: () => 0 });

  constructor(meta: Readonly<Record<string, string>>) {
    const pairs = (owner: string, values: Readonly<Record<string, string>>) =>
      Object.entries(values).map(([name, value]) => element("nvpair", { id: `${owner}-${name}`, name, value }));
    const put = (section: ConfigurationEdit["section"], id: string, children: ReturnType<typeof pairs>): ConfigurationEdit => {
      const options = element("cluster_property_set", { id }, children);
      const service = element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, [
        element("meta_attributes", { id: `${id}-meta` }, children),
      ]);
      return { section, id, before: null, after: section === "resources" ? service : options };
    };
    const hello = (id: number): Command => {
      const facts = { guarantee: "guardian", stopBoundMs: 4500, trips: 0, version: "1", featureLevelMax: 1 } as const;
      return { kind: "node.hello", memberId: memberId(id), incarnation: incarnation(`i${id}`), ...facts };
    };
    const edits = [
      put("crm_config", "options", pairs("options", { "start-failure-is-fatal": "false", "stonith-enabled": "false" })),
      put("resources", "db", pairs("db", meta)),
    ];
    const prefers = element("rsc_location", { id: "likes", rsc: "db", node: "n2", score: "1" });
    const location: ConfigurationEdit = { section: "constraints", id: "likes", before: null, after: prefers };
    this.log(0, { kind: "cluster.create", clusterId: "00112233aabbccdd", name: "c", node: "n1", memberId: memberId(1) });
    this.log(0, { kind: "node.join", node: "n2", memberId: memberId(2) }, hello(1), hello(2));
    this.log(0, { kind: "config.edit", edits: [...edits, location] });
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

  /** Commits what is decided now, and says what it was: `task node`. */
  begin(atMs: number): readonly string[] {
    const command = this.#decide(atMs);
    if (command === null) return [];
    this.log(atMs, command);
    return command.intents.map(({ task, node }) => `${task} ${node}`).sort();
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

/** The service has been looked for everywhere. */
function probed(meta: Readonly<Record<string, string>>): Story {
  const story = new Story(meta);
  assert.deepEqual(story.begin(0), ["monitor n1", "monitor n2"]);
  story.end(0, 7);
  return story;
}

test("a start in flight is one, also within the second in which the one before it failed", () => {
  const story = probed({ "migration-threshold": "3" });
  assert.deepEqual(story.begin(1_000), ["start n2"]);
  story.end(1_100, 1);
  assert.deepEqual(story.begin(1_200), ["stop n2"]);
  story.end(1_300, 0);
  assert.deepEqual(story.begin(1_400), ["start n2"]);
  story.log(1_500, { kind: "config.edit", edits: [disfavour("n2")] });
  assert.deepEqual(story.begin(1_600), []);
});

test("a start in flight is one, also after more than failure-timeout", () => {
  const story = probed({ "failure-timeout": "10s" });
  assert.deepEqual(story.begin(1_000), ["start n2"]);
  story.log(15_000, { kind: "config.edit", edits: [disfavour("n2")] });
  assert.deepEqual(story.begin(15_100), []);
});

/** The node is a worse place than any other from now on. */
function disfavour(node: string): ConfigurationEdit {
  const after = element("rsc_location", { id: "dislikes", rsc: "db", node, score: "-100" });
  return { section: "constraints", id: "dislikes", before: null, after };
}
