import { hash } from "node:crypto";
import type { Hash } from "../../core/base/index.ts";

/** Texts that are remembered, and the longest of them in characters: a few megabytes at most. */
const TEXTS_MAX = 8_192;
const TEXT_LENGTH_MAX = 1_024;

/** MD5 in hex, as digests of parameters are made. Each plan asks for mostly those of the plan before, so they are remembered. */
export function rememberedMd5(): Hash {
  const known = new Map<string, string>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = hash("md5", text);
    if (text.length > TEXT_LENGTH_MAX) return made;
    if (known.size >= TEXTS_MAX) known.clear();
    known.set(text, made);
    return made;
  };
}
