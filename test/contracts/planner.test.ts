import assert from "node:assert/strict";
import { after, test } from "node:test";
import { proposalCodec, schedulePlan } from "../../src/app/daemon/index.ts";
import { PolicyHost } from "../../src/app/daemon/policy-host.ts";
import { virtualPlanner } from "../../src/app/sim/planner.ts";
import { VirtualProcess, VirtualTime } from "../../src/app/sim/time.ts";
import { logIndex, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import { type CibState, element, type Proposal } from "../../src/core/cib/index.ts";
import type { FromPlanner, ToPlanner } from "../../src/core/controller/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import { bootstrap, type Entry } from "../../src/core/raft/index.ts";
import { packedEntry } from "../../src/io/wire/index.ts";
import { exited, MiniCluster } from "../controller/mini-cluster.ts";

/** A policy worker: what was posted to it is answered in order. */
type Subject = {
  readonly post: (message: ToPlanner) => void;
  /** The first answer that fits and was not asked for before. */
  readonly next: (fits: (answer: FromPlanner) => boolean) => Promise<FromPlanner>;
  readonly dispose: () => Promise<void>;
};

const PATIENCE_MS = 20_000;

function taken(answers: readonly FromPlanner[]): (fits: (answer: FromPlanner) => boolean) => FromPlanner | null {
  let at = 0;
  return (fits) => {
    for (; at < answers.length; at += 1) {
      const answer = answers[at];
      if (answer === undefined || !fits(answer)) continue;
      at += 1;
      return answer;
    }
    return null;
  };
}

const SUBJECTS: readonly (readonly [string, () => Promise<Subject>])[] = [
  [
    "a thread",
    async () => {
      const answers: FromPlanner[] = [];
      const take = taken(answers);
      let wake = (): void => {};
      let host: PolicyHost | null = null;
      await new Promise<void>((resolve) => {
        const onAnswer = (message: FromPlanner): void => {
          answers.push(message);
          wake();
        };
        host = new PolicyHost({ onStarted: resolve, onAnswer, onLost: (reason) => assert.fail(reason) }, silentLog);
        host.start();
      });
      const started = host as PolicyHost | null;
      assert.ok(started);
      return {
        post: (message) => started.post(message),
        next: async (fits) => {
          const endMs = performance.now() + PATIENCE_MS;
          for (;;) {
            const found = take(fits);
            if (found !== null) return found;
            if (performance.now() > endMs) throw new Error("no such answer");
            await new Promise<void>((resolve) => {
              const timer = setTimeout(resolve, PATIENCE_MS);
              wake = () => {
                clearTimeout(timer);
                resolve();
              };
            });
          }
        },
        dispose: () => started.close(),
      };
    },
  ],
  [
    "the simulator's",
    async () => {
      const time = new VirtualTime();
      const answers: FromPlanner[] = [];
      const take = taken(answers);
      const planner = virtualPlanner({
        time,
        random: seededRandom(1),
        process: new VirtualProcess("test"),
        schedule: schedulePlan,
        onAnswer: (message) => answers.push(message),
      });
      return {
        post: (message) => planner.post(message),
        next: async (fits) => {
          for (;;) {
            const found = take(fits);
            if (found !== null) return found;
            if (time.step(time.nowMs + PATIENCE_MS) === null) throw new Error("no such answer");
          }
        },
        dispose: async () => {},
      };
    },
  ],
];

/** Three nodes online and one resource that nobody has started yet, as a leader knows them. */
function stateOf(): { readonly state: CibState; readonly node: string } {
  // Nothing is decided in this cluster: what the worker decides is what the tests look at.
  const never = { schedule: () => ({ graph: emptyPlan.graph, summary: [], placements: null, scores: null, recheckAtMs: null }) };
  const cluster = MiniCluster.formed({ ...never, agents: () => ({ outcome: exited(0), tookMs: 5 }) }, ["n1", "n2", "n3"]);
  const leader = cluster.leader();
  assert.ok(leader);
  const web = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "dummy" });
  const fencing = element("cluster_property_set", { id: "p" }, [element("nvpair", { id: "p-f", name: "stonith-enabled", value: "false" })]);
  leader.request("config.commit", {
    edits: [
      { section: "crm_config", id: "p", before: null, after: fencing },
      { section: "resources", id: "web", before: null, after: web },
    ],
  });
  return { state: leader.core.state, node: leader.name };
}
const emptyPlan = schedulePlan(element("cib", {}, [element("configuration", {}), element("status", {})]), 0, (text) => text);

const { state, node } = stateOf();
const NOW_MS = 1_700_000_100_000;
const kinds = { step: "step", planned: "planned", rehearsed: "rehearsed", explained: "explained" } as const;
const is =
  (kind: keyof typeof kinds) =>
  (answer: FromPlanner): boolean =>
    answer.kind === kind;

for (const [name, make] of SUBJECTS) {
  const contract = (what: string, body: (subject: Subject) => Promise<void>): void => {
    test(`a policy worker, ${name}: ${what}`, async () => {
      const subject = await make();
      try {
        await body(subject);
      } finally {
        await subject.dispose();
      }
    });
  };

  contract("a leader is given a plan under its session, and the first step of it", async ({ post, next }) => {
    post({ kind: "load", state });
    post({ kind: "lead", session: 7, node, nowMs: NOW_MS });
    const planned = await next(is("planned"));
    assert.ok(planned.kind === "planned" && planned.session === 7);
    assert.equal(planned.basedOn, state.index);
    const summary = planned.plan.summary.join("\n");
    assert.match(summary, /web/);
    const step = await next(is("step"));
    assert.ok(step.kind === "step" && step.session === 7 && step.commands.length > 0);
  });

  contract("nobody who does not lead is given a step; questions are answered all the same, each by its id", async ({ post, next }) => {
    post({ kind: "load", state });
    post({ kind: "explain", id: 1, quorate: true, node, nowMs: NOW_MS });
    post({ kind: "explain", id: 2, quorate: false, node: null, nowMs: NOW_MS });
    const seen: string[] = [];
    const note = (answer: FromPlanner): boolean => {
      seen.push(answer.kind === "explained" ? `explained ${answer.id}` : answer.kind);
      return answer.kind === "explained";
    };
    await next(note);
    await next(note);
    assert.deepEqual(seen, ["explained 1", "explained 2"]);
  });

  contract("it follows the log: entries of every kind, one after the other and many at once", async ({ post, next }) => {
    post({ kind: "load", state });
    post({ kind: "lead", session: 7, node, nowMs: NOW_MS });
    await next(is("planned"));
    const id = (offset: number) => ({ term: term(1), index: logIndex(state.index + offset) });
    const attribute = (offset: number): Entry<Proposal> => {
      const changes = [{ node, name: `a${offset}`, value: "x".repeat(10 * offset) }];
      return packedEntry({ ...id(offset) }, { atMs: NOW_MS, origin: null, command: { kind: "attribute.set", changes } }, proposalCodec);
    };
    const configuration = bootstrap<Proposal>({ id: memberId(1), member: { name: node, addresses: [], incarnation: null } }).entries[0];
    assert.ok(configuration?.kind === "config");
    const many: Entry<Proposal>[] = [{ ...id(1), kind: "empty" }, attribute(2), { ...configuration, ...id(3) }, attribute(4)];
    post({ kind: "applied", entries: many, nowMs: NOW_MS });
    const planned = await next(is("planned"));
    assert.ok(planned.kind === "planned" && planned.basedOn === state.index + 4);
    // One word for each message that held entries, after all that came of it.
    const heard = (answer: FromPlanner): boolean => answer.kind === "heard";
    await next(heard);
    post({ kind: "applied", entries: [attribute(5)], nowMs: NOW_MS });
    const again = await next(is("planned"));
    assert.ok(again.kind === "planned" && again.basedOn === state.index + 5);
    await next(heard);
    post({ kind: "applied", entries: [], nowMs: NOW_MS });
    post({ kind: "explain", id: 1, quorate: true, node, nowMs: NOW_MS });
    const explained = await next(is("explained"));
    assert.ok(explained.kind === "explained" && explained.basedOn === state.index + 5);
  });

  contract("an edit that cannot be is refused in a rehearsal, and one that can be is not", async ({ post, next }) => {
    post({ kind: "load", state });
    const after = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "stateful" });
    post({ kind: "rehearse", id: 3, edits: [{ section: "resources", id: "web", before: "not what is there", after }], nowMs: NOW_MS });
    const another = element("primitive", { id: "api", class: "ocf", provider: "quorate", type: "dummy" });
    post({ kind: "rehearse", id: 4, edits: [{ section: "resources", id: "api", before: null, after: another }], nowMs: NOW_MS });
    const first = await next(is("rehearsed"));
    const second = await next(is("rehearsed"));
    assert.ok(first.kind === "rehearsed" && second.kind === "rehearsed");
    assert.deepEqual([first.id, first.problem?.code], [3, "CIB_CONFLICT"]);
    assert.deepEqual([second.id, second.problem], [4, null]);
  });
}

test("both workers plan the same for the same state", async () => {
  const plans: string[] = [];
  for (const [, make] of SUBJECTS) {
    const subject = await make();
    after(() => subject.dispose());
    subject.post({ kind: "load", state });
    subject.post({ kind: "lead", session: 1, node, nowMs: NOW_MS });
    const planned = await subject.next(is("planned"));
    const step = await subject.next(is("step"));
    plans.push(JSON.stringify([planned.kind === "planned" && planned.plan, step]));
  }
  assert.equal(plans[0], plans[1]);
});
