import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { colorConfiguration } from "../../src/app/cli/colors.ts";
import { CommandError } from "../../src/app/cli/level.ts";
import {
  DEFAULT_PREFERENCES,
  preference,
  preferenceFiles,
  readPreferences,
  savePreferences,
  secretNames,
  withOneOff,
  withPreference,
} from "../../src/app/cli/preferences.ts";

describe("preferences", () => {
  let directory: string;
  let environment: NodeJS.ProcessEnv;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "quorate-preferences-"));
    environment = { QUORATE_CONFIG_DIR: join(directory, "system"), XDG_CONFIG_HOME: join(directory, "user") };
  });
  after(() => rmSync(directory, { recursive: true }));

  function write(system: string, user: string): void {
    const files = preferenceFiles(environment);
    mkdirSync(join(directory, "system"), { recursive: true });
    mkdirSync(join(directory, "user", "quorate"), { recursive: true });
    writeFileSync(files.system, system);
    writeFileSync(files.user, user);
  }

  const read = (): { readonly get: (name: string) => string; readonly said: string[] } => {
    const said: string[] = [];
    const found = readPreferences((message) => void said.push(message), environment);
    return { get: (name) => preference(found, name), said };
  };

  test("without files everything is as it is by default", () => {
    assert.equal(read().get("core.check_mode"), "strict");
    assert.deepEqual(secretNames(DEFAULT_PREFERENCES), ["passw*"]);
  });

  test("a person's own file wins over the system's; unknown words pass, bad values are told", () => {
    write(
      "; of the machine\n[core]\neditor = nano\nsort_elements = no\n[color]\nkeyword = red bold\n",
      "# mine\n[core]\nsort-elements: yes\nuser = root\ncheck_mode = harsh\nobscure_pattern = passw*, *key\n",
    );
    const { get, said } = read();
    assert.deepEqual(["core.editor", "core.sort_elements", "color.keyword", "core.check_mode"].map(get), [
      "nano",
      "yes",
      "red bold",
      "strict",
    ]);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /crm\.conf: core\.check_mode takes strict, relaxed, not 'harsh'/);
    assert.equal(get("core.obscure_pattern"), "passw*, *key");
  });

  test("what is saved is read again, and what other programs keep there stays", () => {
    write("", "[core]\nuser = root\n[other]\nx = 1\n");
    const wanted = withPreference(withPreference(DEFAULT_PREFERENCES, "manage-children", "never"), "color.score", "green,underline");
    const path = savePreferences(wanted, environment);
    const text = readFileSync(path, "utf8");
    assert.match(text, /user = root/);
    assert.match(text, /\[other\]\nx = 1/);
    assert.doesNotMatch(text, /check_mode/, "defaults are not written: they may change");
    assert.deepEqual([read().get("core.manage_children"), read().get("color.score")], ["never", "green underline"]);
  });

  test("unknown names and values are refused with the nearest one", () => {
    assert.throws(() => withPreference(DEFAULT_PREFERENCES, "sort-elments", "no"), /did you mean 'sort_elements'/);
    assert.throws(() => withPreference(DEFAULT_PREFERENCES, "wait", "maybe"), /takes yes or no/);
    assert.throws(() => withPreference(DEFAULT_PREFERENCES, "color.ticket", "gren"), /did you mean 'green'/);
    assert.throws(() => withOneOff(DEFAULT_PREFERENCES, "core.wait"), CommandError);
    assert.equal(preference(withOneOff(DEFAULT_PREFERENCES, "core.editor=vi -e"), "core.editor"), "vi -e");
  });

  test("each kind of word has its colour", () => {
    const wanted = withPreference(withPreference(DEFAULT_PREFERENCES, "color.keyword", "red"), "color.identifier", "normal");
    assert.equal(colorConfiguration("tag t a", wanted), "\u001b[31mtag\u001b[0m t \u001b[32ma\u001b[0m");
  });
});
