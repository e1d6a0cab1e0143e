import { cp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seededRandom } from "../../src/core/base/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import { openStoreDirectory, StoreError } from "../../src/io/storage/index.ts";
import { judge } from "./flip-judge.ts";
import { IDENTITY, textCommands } from "./harness.ts";

/** A process of its own, because LevelDB answers some flips with an assertion that ends it. */
export type FlipOrder = { readonly home: string; readonly seed: number; readonly from: number; readonly to: number };
export type FlipReport =
  | { readonly kind: "judged"; readonly flip: number; readonly finding: string }
  | { readonly kind: "wrong"; readonly flip: number; readonly what: string };

async function filesOf(directory: string): Promise<{ path: string; size: number }[]> {
  const found: { path: string; size: number }[] = [];
  for (const entry of await readdir(directory, { recursive: true })) {
    const path = join(directory, entry);
    const facts = await stat(path);
    if (facts.isFile() && facts.size > 0 && !/LOG(\.old)?$|LOCK$/.test(entry)) found.push({ path, size: facts.size });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Copies one of the two stores and flips one bit in it. Every file equally often, else the snapshot would take all hits. */
async function damage(directory: string, original: string, seed: number): Promise<string> {
  const random = seededRandom(seed);
  await cp(original, directory, { recursive: true });
  const files = await filesOf(directory);
  const file = files[random.below(files.length)]!;
  const at = random.below(file.size);
  const bit = 1 << random.below(8);
  const bytes = await readFile(file.path);
  bytes[at]! ^= bit;
  await writeFile(file.path, bytes);
  return `${file.path.slice(directory.length)} byte ${at} bit ${bit}`;
}

async function work(order: FlipOrder): Promise<void> {
  const options = { commands: textCommands, expected: IDENTITY, fileSystem: "any", now: () => performance.now(), log: silentLog } as const;
  for (let flip = order.from; flip < order.to; flip += 1) {
    const directory = join(order.home, `copy-${flip}`);
    const isAgain = await stat(directory).then(
      () => true,
      () => false,
    );
    // Even copies have all records in LevelDB's live log, odd ones in tables.
    const original = join(order.home, flip % 2 === 0 ? "original" : "tables");
    const hit = isAgain ? "as before" : await damage(directory, original, order.seed + flip);
    const what = `seed ${order.seed} flip ${flip}: ${hit}`;
    let report: FlipReport;
    try {
      report = { kind: "judged", flip, finding: await judge(await openStoreDirectory({ ...options, directory }), what) };
    } catch (cause) {
      if (cause instanceof StoreError) report = { kind: "judged", flip, finding: cause.detail.code };
      else report = { kind: "wrong", flip, what: cause instanceof Error ? cause.message : String(cause) };
    }
    await rm(directory, { recursive: true });
    process.send?.(report);
  }
  process.disconnect();
}

process.once("message", (order: FlipOrder) => void work(order));
