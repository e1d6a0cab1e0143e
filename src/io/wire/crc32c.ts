const POLYNOMIAL = 0x82f63b78;

/** Eight tables, so that eight bytes cost eight look-ups and no dependent shift ("slicing by 8", Kounavis and Berry 2005). */
const TABLES: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    first[byte] = value >>> 0;
  }
  const tables = [first];
  for (let slice = 1; slice < 8; slice += 1) {
    const previous = tables[slice - 1]!;
    const table = new Uint32Array(256);
    for (let byte = 0; byte < 256; byte += 1) table[byte] = (previous[byte]! >>> 8) ^ first[previous[byte]! & 0xff]!;
    tables.push(table);
  }
  return tables;
}

/**
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4), as an unsigned 32-bit number. `node:zlib` offers only the other CRC-32.
 * `seed` is the result for the bytes before `bytes`, so that parts can be joined without a copy.
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  let crc = ~seed;
  let at = 0;
  const length = bytes.length;
  for (; at + 8 <= length; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < length; at += 1) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
