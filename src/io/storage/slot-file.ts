import { write } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { SLOT_BYTES, type SlotFile } from "./disk.ts";

/** The watermark file at `path`, made with its full size when missing, so that later writes change no metadata. */
export async function openSlotFile(path: string): Promise<SlotFile> {
  const file = await openOrCreate(path);
  return {
    read: async () => [await readSlot(file, 0), await readSlot(file, 1)],
    write: async (slot, bytes, { sync }) => {
      await writeAt(file.fd, bytes, slot * SLOT_BYTES);
      if (sync) await file.datasync();
    },
    close: () => file.close(),
  };
}

/** Done once for each write of the log: the promises of `FileHandle` take half as much CPU again. */
function writeAt(file: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    write(file, bytes, 0, SLOT_BYTES, position, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r+");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
  }
  const file = await open(path, "w+", 0o600);
  await file.write(Buffer.alloc(2 * SLOT_BYTES), 0, 2 * SLOT_BYTES, 0);
  await file.sync();
  return file;
}

async function readSlot(file: FileHandle, slot: 0 | 1): Promise<Uint8Array | null> {
  const bytes = Buffer.alloc(SLOT_BYTES);
  const { bytesRead } = await file.read(bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
  return bytesRead === SLOT_BYTES ? bytes : null;
}
