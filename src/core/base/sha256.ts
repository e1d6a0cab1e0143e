/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4 §4.2.2). */
const ROUND = Int32Array.from(primes(64), (prime) => cubeRootFraction(prime));

function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}

/** By whole numbers, so that no engine's rounding can matter: the largest k with k³ <= value · 2⁹⁶ holds 32 bits behind the point. */
function cubeRootFraction(value: number): number {
  const wanted = BigInt(value) << 96n;
  let root = 0n;
  for (let bit = 1n << 35n; bit > 0n; bit >>= 1n) if ((root + bit) ** 3n <= wanted) root += bit;
  return Number(BigInt.asIntN(32, root));
}

const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/**
 * SHA-256 (FIPS 180-4) of the UTF-8 form of `text`, lower-case hex. For the few places where replicated state is named
 * by a hash: `apply` takes nothing from outside. Tens of MB/s, so keep what is hashed in one step well below 1 MiB.
 */
export function sha256(text: string): string {
  const bytes = padded(text);
  const state = Int32Array.from(START);
  const words = new Int32Array(64);
  for (let at = 0; at < bytes.length; at += 64) compress(state, words, bytes, at);
  let hex = "";
  for (const word of state) hex += (word >>> 0).toString(16).padStart(8, "0");
  return hex;
}

/** The message with its padding: a 1 bit, zeros, and its length in bits (§5.1.1). */
function padded(text: string): Uint8Array {
  // At most three bytes a UTF-16 unit.
  const room = new Uint8Array(text.length * 3 + 72);
  const length = encodeUtf8(text, room);
  room[length] = 0x80;
  const total = Math.ceil((length + 9) / 64) * 64;
  const high = Math.floor(length / 2 ** 29);
  const low = (length << 3) >>> 0;
  for (let byte = 0; byte < 4; byte += 1) {
    room[total - 8 + byte] = high >>> (24 - 8 * byte);
    room[total - 4 + byte] = low >>> (24 - 8 * byte);
  }
  return room.subarray(0, total);
}

/** Lone surrogates become U+FFFD, as everywhere else that text becomes bytes. */
function encodeUtf8(text: string, into: Uint8Array): number {
  let at = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      into[at++] = unit;
      continue;
    }
    let point = text.codePointAt(index) ?? unit;
    if (point > 0xffff) index += 1;
    else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x800) into[at++] = 0xc0 | (point >> 6);
    else {
      if (point > 0xffff) into[at++] = 0xf0 | (point >> 18);
      into[at++] = point > 0xffff ? 0x80 | ((point >> 12) & 0x3f) : 0xe0 | (point >> 12);
      into[at++] = 0x80 | ((point >> 6) & 0x3f);
    }
    into[at++] = 0x80 | (point & 0x3f);
  }
  return at;
}

/** One block of 64 bytes (§6.2.2). Plain indices and local numbers: this loop is where all the time goes. */
function compress(state: Int32Array, words: Int32Array, bytes: Uint8Array, from: number): void {
  for (let at = 0, byte = from; at < 16; at += 1, byte += 4) {
    words[at] = (bytes[byte]! << 24) | (bytes[byte + 1]! << 16) | (bytes[byte + 2]! << 8) | bytes[byte + 3]!;
  }
  for (let at = 16; at < 64; at += 1) {
    const x = words[at - 15]!;
    const y = words[at - 2]!;
    const first = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const second = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[at] = (words[at - 16]! + first + words[at - 7]! + second) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let at = 0; at < 64; at += 1) {
    const sigma1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + sigma1 + ((e & f) ^ (~e & g)) + ROUND[at]! + words[at]!) | 0;
    const sigma0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (sigma0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}
