import { Packr } from "msgpackr";

/**
 * Plain msgpack: no records, so that each value can be read alone and by other programs; no 64-bit integers, because all
 * our numbers are below 2^53 (larger than 2^32 they travel as float64).
 */
const packr = new Packr({ useRecords: false, moreTypes: false, largeBigIntToFloat: true, mapsAsObjects: true, variableMapSize: true });

export function packBytes(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Throws on anything that is not one whole msgpack value. */
export function unpackBytes(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}
