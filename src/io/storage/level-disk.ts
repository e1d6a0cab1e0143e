import { Level } from "level";
import type { DiskOperation, DiskRange, DiskRecord, KeyValueDisk } from "./disk.ts";
import { StoreError } from "./errors.ts";

/** Bytes gathered before a table is written: large enough that the log of one snapshot interval seldom stalls on level 0. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/** One visit of the thread pool reads about so much: a start reads the whole log, and each visit waits for its turn. */
const READ_BYTES = 1024 * 1024;
const RECORDS_PER_READ = 4096;

type Bytes = Level<Uint8Array, Uint8Array>;

/** Why LevelDB did not open, or null when the cause says nothing that we know. */
function openFault(path: string, cause: unknown): StoreError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = typeof inner === "object" && inner !== null && "code" in inner ? String(inner.code) : "";
  if (code === "LEVEL_LOCKED") return new StoreError(`another process uses ${path}`, { code: "STORE_LOCKED", path }, cause);
  const message = inner instanceof Error ? inner.message : String(inner);
  // Anything but a plain operating error means that LevelDB stumbled over its own files.
  const isOperating = /No space|Permission|Too many open|Input\/output error/i.test(message);
  return new StoreError(
    `the database at ${path} does not open: ${message}`,
    { code: isOperating ? "STORE_FAILED" : "STORE_DAMAGED", path },
    cause,
  );
}

/** Opens or makes the LevelDB at `path`. Throws `STORE_LOCKED`, `STORE_DAMAGED` or `STORE_FAILED`. */
export async function openLevelDisk(path: string): Promise<KeyValueDisk> {
  const db: Bytes = new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: "view",
    valueEncoding: "view",
    compression: false,
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  try {
    await db.open();
  } catch (cause) {
    throw openFault(path, cause);
  }
  // Batches go to a pool of threads, which may overtake each other there: each is handed over when the one before is done.
  let last: Promise<void> = Promise.resolve();
  return {
    write: (operations, { sync }) => {
      last = last.then(() => db.batch(operations.map(toBatch), { sync }));
      return last;
    },
    get: async (key) => (await db.get(key)) ?? null,
    range: (range) => readRange(db, range),
    close: async () => {
      await last.catch(() => {}); // Whoever asked for that write has heard of its failure.
      await db.close();
    },
  };
}

function toBatch(operation: DiskOperation) {
  return operation.kind === "put"
    ? { type: "put" as const, key: operation.key, value: operation.value }
    : { type: "del" as const, key: operation.key };
}

async function* readRange(db: Bytes, range: DiskRange): AsyncGenerator<DiskRecord> {
  const iterator = db.iterator({ gte: range.from, lt: range.to, highWaterMarkBytes: READ_BYTES, fillCache: false });
  try {
    while (true) {
      const records = await iterator.nextv(RECORDS_PER_READ);
      if (records.length === 0) return;
      for (const [key, value] of records) yield { key, value };
    }
  } finally {
    await iterator.close();
  }
}
