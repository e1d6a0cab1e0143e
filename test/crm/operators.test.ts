import assert from "node:assert/strict";
import { test } from "node:test";
import { commitSession, replaceAll } from "../../src/app/cli/configure-commit.ts";
import type { CliContext } from "../../src/app/cli/level.ts";
import { DEFAULT_PREFERENCES } from "../../src/app/cli/preferences.ts";
import type { ConfigurationStore } from "../../src/app/cli/store.ts";
import type { Terminal } from "../../src/app/cli/terminal.ts";
import { type ConfigurationEdit, canonicalText, type Element, idOf } from "../../src/core/cib/index.ts";
import { applyEdits, EditSession } from "../../src/core/crm/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";
import { objectIn, threeNodes } from "./support.ts";

/** A cluster's configuration with compare-and-set per object, as `core/cib` applies it. */
class SharedStore implements ConfigurationStore {
  readonly name = "live";
  readonly live = true;
  configuration: Element;

  constructor(configuration: Element) {
    this.configuration = configuration;
  }

  async read(): Promise<{ configuration: Element; status: null }> {
    return { configuration: this.configuration, status: null };
  }

  async commit(edits: readonly ConfigurationEdit[], force: boolean): Promise<void> {
    for (const edit of edits) {
      const section = this.configuration.children.find((child) => child.name === edit.section);
      const is = section?.children.find((child) => idOf(child) === edit.id);
      if (!force && (is === undefined ? null : canonicalText(is)) !== edit.before) throw new Error(`CIB_CONFLICT ${edit.id}`);
    }
    this.configuration = applyEdits(this.configuration, edits);
  }
}

type Said = { readonly errors: string[]; readonly text: string[] };

function contextOf(said: Said): CliContext {
  const terminal: Terminal = {
    interactive: false,
    color: false,
    write: (text) => void said.text.push(text),
    out: (line) => void said.text.push(line),
    error: (message) => void said.errors.push(message),
    warn: () => {},
    info: () => {},
    confirm: async (_question, safe) => safe,
  };
  const options = {
    force: false,
    no: false,
    wait: false,
    debug: false,
    display: "plain" as const,
    cibFile: null,
    shadow: null,
    socketPath: "",
  };
  return {
    terminal,
    mode: "batch",
    options,
    preferences: DEFAULT_PREFERENCES,
    interrupt: () => {},
    interrupted: false,
    api: () => Promise.reject(new Error("no cluster in this test")),
    afterChange: async () => {},
  };
}

function operator(store: SharedStore): EditSession {
  return new EditSession({ configuration: store.configuration, parseXml });
}

async function commit(session: EditSession, store: SharedStore, force = false): Promise<{ readonly ok: boolean; readonly said: Said }> {
  const said: Said = { errors: [], text: [] };
  return { ok: await commitSession(session, store, contextOf(said), force), said };
}

test("two operators who change different objects both succeed", async () => {
  const store = new SharedStore(threeNodes());
  const [anna, bert] = [operator(store), operator(store)];
  anna.define("primitive", "primitive a Dummy");
  bert.define("primitive", "primitive b Dummy");
  bert.define("node", "node node2 attributes rack=2");
  assert.equal((await commit(anna, store)).ok, true);
  assert.equal((await commit(bert, store)).ok, true);
  assert.ok(objectIn(store.configuration, "a") && objectIn(store.configuration, "b"), "nothing is lost");
});

test("two operators who change the same object: one wins, the other sees the difference and can go on", async () => {
  const store = new SharedStore(threeNodes());
  const first = operator(store);
  first.define("primitive", "primitive p Dummy params fake=1");
  await commit(first, store);
  const [anna, bert] = [operator(store), operator(store)];
  anna.set("p.fake", "2");
  bert.set("p.fake", "3");
  bert.define("primitive", "primitive q Dummy");
  assert.equal((await commit(anna, store)).ok, true);
  const refused = await commit(bert, store);
  assert.equal(refused.ok, false);
  assert.match(refused.said.errors.join("\n"), /p: somebody else changed it/);
  assert.match(refused.said.text.join(""), /fake=1[\s\S]*fake=2[\s\S]*fake=3/);
  assert.equal(objectIn(store.configuration, "q"), undefined, "a refused commit changes nothing at all");
  assert.equal(bert.hasChanges, true, "what was typed is not lost");
  assert.equal((await commit(bert, store, true)).ok, true);
  assert.equal(objectIn(store.configuration, "p-instance_attributes-fake")?.attributes["value"], "3");
  assert.ok(objectIn(store.configuration, "q"));
});

test("one creates what the other creates: the second is told", async () => {
  const store = new SharedStore(threeNodes());
  const [anna, bert] = [operator(store), operator(store)];
  anna.define("primitive", "primitive p Dummy");
  bert.define("primitive", "primitive p Dummy params fake=9");
  assert.equal((await commit(anna, store)).ok, true);
  assert.equal((await commit(bert, store)).ok, false);
});

test("one deletes what the other changes: the second is told", async () => {
  const store = new SharedStore(threeNodes());
  const first = operator(store);
  first.define("primitive", "primitive p Dummy params fake=1");
  await commit(first, store);
  const [anna, bert] = [operator(store), operator(store)];
  anna.remove(["p"], false);
  bert.set("p.fake", "2");
  assert.equal((await commit(anna, store)).ok, true);
  const refused = await commit(bert, store);
  assert.equal(refused.ok, false);
  assert.match(refused.said.text.join(""), /\(deleted\)/);
});

test("an error blocks a commit, force passes what is no broken structure", async () => {
  const store = new SharedStore(threeNodes());
  const doubtful = operator(store);
  doubtful.define("primitive", "primitive p Dummy meta target-role=Sideways");
  assert.equal((await commit(doubtful, store)).ok, false);
  assert.equal((await commit(doubtful, store, true)).ok, true);
  const broken = operator(store);
  broken.define("colocation", "colocation c inf: p nosuch");
  assert.equal((await commit(broken, store, true)).ok, false);
});

test("commit replace: what others did stops it, and force undoes that", async () => {
  const store = new SharedStore(threeNodes());
  const [anna, bert] = [operator(store), operator(store)];
  anna.define("primitive", "primitive a Dummy");
  bert.define("primitive", "primitive b Dummy");
  assert.equal((await commit(anna, store)).ok, true);
  const said: Said = { errors: [], text: [] };
  assert.equal(await replaceAll(bert, store, contextOf(said), false), false);
  assert.match(said.errors.join(), /has changed since it was read: a$/);
  assert.ok(objectIn(store.configuration, "a"));
  assert.equal(await replaceAll(bert, store, contextOf(said), true), true);
  assert.equal(objectIn(store.configuration, "a"), undefined);
  assert.ok(objectIn(store.configuration, "b"));
});
