import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Term, term as toTerm, unreachable } from "../../core/base/index.ts";
import type { ActionResult, StopPlan } from "../../core/ports/index.ts";
import type { JournalRecord, Remembered, RunOrder } from "./types.ts";

/** A process that an action was running as. */
export type Spawned = { readonly pid: number; readonly startTicks: number };
/** The core's records, and the one that only the process can know. */
export type Line = JournalRecord | ({ readonly kind: "spawn"; readonly key: string } & Spawned);

/** The file is rewritten with what is still true when it has grown by this much, bytes. */
const COMPACT_BYTES = 1024 * 1024;

/**
 * What a guardian must know again after its own sudden end, in a directory that does not outlive the host's boot. Records
 * are appended without fsync: the page cache survives the process, and after a power cut nothing of this is true any more.
 */
export class Journal {
  readonly #path: string;
  readonly #state = new JournalState();
  #fd: number;
  #sizeBytes = 0;

  private constructor(path: string) {
    this.#path = path;
    this.#fd = -1;
  }

  /** Reads what is there (a torn last line ends the reading) and starts a compact file. */
  static open(directory: string): Journal {
    const journal = new Journal(join(directory, "guardian.journal"));
    for (const line of readLines(journal.#path)) journal.#state.apply(line);
    journal.#rewrite();
    return journal;
  }

  /** Forgets everything of an earlier incarnation. */
  static clear(directory: string): void {
    rmSync(join(directory, "guardian.journal"), { force: true });
    rmSync(join(directory, "guardian.deadline"), { force: true });
  }

  get unfinished(): readonly RunOrder[] {
    return [...this.#state.runs.values()];
  }

  /** Processes that ran when the last guardian ended, by key. */
  get spawned(): ReadonlyMap<string, Spawned> {
    return this.#state.spawned;
  }

  remembered(mark: Pick<Remembered, "cluster" | "term" | "deadlineMs">): Remembered {
    const { plan, results, trips, stopped } = this.#state;
    return { ...mark, plan, unfinished: this.unfinished, results: [...results.values()], trips, stopped };
  }

  append(line: Line): void {
    this.#state.apply(line);
    const text = `${JSON.stringify(line)}\n`;
    writeSync(this.#fd, text);
    this.#sizeBytes += text.length;
    if (this.#sizeBytes > COMPACT_BYTES) this.#rewrite();
  }

  #rewrite(): void {
    const text = this.#state.lines().map((line) => `${JSON.stringify(line)}\n`);
    const next = `${this.#path}.new`;
    writeFileSync(next, text.join(""), { mode: 0o600 });
    if (this.#fd >= 0) closeSync(this.#fd);
    renameSync(next, this.#path);
    this.#fd = openSync(this.#path, "a", 0o600);
    this.#sizeBytes = 0;
  }
}

class JournalState {
  readonly runs = new Map<string, RunOrder>();
  readonly spawned = new Map<string, Spawned>();
  readonly results = new Map<string, ActionResult>();
  plan: StopPlan | null = null;
  trips = 0;
  stopped: Remembered["stopped"] = [];

  apply(line: Line): void {
    switch (line.kind) {
      case "run":
        this.runs.set(line.key, { key: line.key, origin: line.origin, action: line.action, planVersion: line.planVersion });
        break;
      case "spawn":
        this.spawned.set(line.key, { pid: line.pid, startTicks: line.startTicks });
        break;
      case "end":
        this.#forget(line.result.key);
        this.results.set(line.result.key, line.result);
        break;
      case "forget":
        this.#forget(line.key);
        break;
      case "ack":
        this.results.delete(line.key);
        break;
      case "plan":
        this.plan = line.plan;
        break;
      case "trip":
        this.trips = line.trips;
        this.stopped = line.stopped;
        break;
      default:
        unreachable(line);
    }
  }

  lines(): Line[] {
    const lines: Line[] = [];
    if (this.plan !== null) lines.push({ kind: "plan", plan: this.plan });
    if (this.trips > 0) lines.push({ kind: "trip", trips: this.trips, stopped: this.stopped });
    for (const run of this.runs.values()) lines.push({ kind: "run", ...run });
    for (const [key, spawned] of this.spawned) lines.push({ kind: "spawn", key, ...spawned });
    for (const result of this.results.values()) lines.push({ kind: "end", result });
    return lines;
  }

  #forget(key: string): void {
    this.runs.delete(key);
    this.spawned.delete(key);
  }
}

function readLines(path: string): Line[] {
  const lines: Line[] = [];
  for (const text of (readOrNull(path) ?? "").split("\n")) {
    if (text === "") continue;
    try {
      lines.push(JSON.parse(text) as Line);
    } catch {
      // The writer died within this line: what it meant to say was never acted on.
      break;
    }
  }
  return lines;
}

const SLOT_BYTES = 128;

/**
 * Term and deadline, written at every extension (twice a second): two fixed slots in turn, each with its checksum, so
 * that a write cut short leaves the one before. An older deadline is the safe one.
 */
export class DeadlineFile {
  readonly #fd: number;
  #sequence: number;
  readonly held: Pick<Remembered, "cluster" | "term" | "deadlineMs"> | null;

  constructor(directory: string) {
    const path = join(directory, "guardian.deadline");
    const slots = readSlots(readOrNull(path) ?? "");
    const newest = slots.sort((a, b) => b.sequence - a.sequence)[0];
    this.#sequence = newest?.sequence ?? 0;
    this.held = newest === undefined ? null : heldIn(newest);
    if (newest === undefined) writeFileSync(path, "".padEnd(2 * SLOT_BYTES), { mode: 0o600 });
    this.#fd = openSync(path, "r+");
  }

  write(mark: { readonly cluster: string | null; readonly term: Term; readonly deadlineMs: number }): void {
    this.#sequence += 1;
    const { term, deadlineMs } = mark;
    const cluster = mark.cluster === null ? {} : { cluster: mark.cluster };
    const body = JSON.stringify({
      sequence: this.#sequence,
      term,
      deadlineMs: Number.isFinite(deadlineMs) ? deadlineMs : null,
      ...cluster,
    });
    const slot = `${crc32(body).toString(16).padStart(8, "0")} ${body}`.padEnd(SLOT_BYTES);
    writeSync(this.#fd, slot, (this.#sequence % 2) * SLOT_BYTES);
  }
}

type Slot = { readonly sequence: number; readonly term: number; readonly deadlineMs: number | null; readonly cluster?: string };

function heldIn({ term, deadlineMs, cluster }: Slot): Pick<Remembered, "cluster" | "term" | "deadlineMs"> {
  const mark = { term: toTerm(term), deadlineMs: deadlineMs ?? Number.POSITIVE_INFINITY };
  return cluster === undefined ? mark : { ...mark, cluster };
}

function readSlots(text: string): Slot[] {
  const slots: Slot[] = [];
  for (const raw of [text.slice(0, SLOT_BYTES), text.slice(SLOT_BYTES, 2 * SLOT_BYTES)]) {
    const sum = raw.slice(0, 8);
    const body = raw.slice(9).trimEnd();
    if (body !== "" && crc32(body).toString(16).padStart(8, "0") === sum) slots.push(JSON.parse(body) as Slot);
  }
  return slots;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
