import type { ConfigurationEdit } from "../../core/cib/index.ts";
import type { ApiClient } from "./client.ts";
import { ApiFault } from "./fault.ts";

/** A change whose JSON text is longer goes in parts: one entry of the log holds at most 2 MiB (RAFT.md §6), characters. */
export const STAGE_ABOVE_CHARS = 1024 * 1024;
/** A part ends with the edit that takes it over this, characters of JSON text. */
const PART_CHARS = 256 * 1024;
/** An upload that was dropped meanwhile (unused for too long, or others needed the room) is begun anew so many times. */
const ROUNDS_MAX = 3;

/**
 * Commits edits as one change, whatever their size: all of them or none. A large change is uploaded in parts first; what
 * an earlier, interrupted upload of the same change brought is not sent again. Throws what `config.commit` refuses with.
 */
export async function commitEdits(
  client: ApiClient,
  edits: readonly ConfigurationEdit[],
  how: { readonly force: boolean; readonly epoch?: number },
): Promise<unknown> {
  const { force, ...terms } = how;
  const wanted = force ? { ...terms, force } : terms;
  const texts = edits.map((edit) => JSON.stringify(edit).length);
  const total = texts.reduce((sum, length) => sum + length, 0);
  if (total <= STAGE_ABOVE_CHARS) return client.request("config.commit", { edits, ...wanted });
  const parts = partsOf(edits, texts);
  // Loaded when it is needed: the command line imports this door and must start fast.
  const { uploadHash, uploadPartHash } = await import("../../core/cib/index.ts");
  const upload = uploadHash(parts.map(uploadPartHash));
  for (let round = 1; ; round += 1) {
    try {
      await sendParts(client, upload, parts);
      return await client.request("config.commit", { upload, parts: parts.length, ...wanted });
    } catch (error) {
      const dropped = error instanceof ApiFault && error.detail.code === "UPLOAD_INCOMPLETE";
      if (dropped && round < ROUNDS_MAX) continue;
      // What nobody will go on with makes room at once; otherwise it expires.
      await client.request("config.uploadDrop", { upload }).catch(() => {});
      throw error;
    }
  }
}

async function sendParts(client: ApiClient, upload: string, parts: readonly (readonly ConfigurationEdit[])[]): Promise<void> {
  const known = (await client.request("config.uploadStatus", { upload })) as { readonly received: number };
  for (let number = known.received; number < parts.length; number += 1) {
    await client.request("config.upload", { upload, number, edits: parts[number] });
  }
}

function partsOf(edits: readonly ConfigurationEdit[], lengths: readonly number[]): readonly (readonly ConfigurationEdit[])[] {
  const parts: ConfigurationEdit[][] = [];
  let room = 0;
  for (const [at, edit] of edits.entries()) {
    if (room <= 0) {
      parts.push([]);
      room = PART_CHARS;
    }
    parts[parts.length - 1]?.push(edit);
    room -= lengths[at] ?? 0;
  }
  return parts;
}
