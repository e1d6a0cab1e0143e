/** Why foreign bytes are not what they should be. Caught inside this room; callers see an outcome. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

export type Fields = Readonly<Record<string, unknown>>;

/** Readers of fields that came from outside: each gives the right type or throws `Malformed` with the field's name. */
export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new Malformed(`${what} is not a map`);
  }
  return value as Fields;
}

export function listOf(value: unknown, what: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Malformed(`${what} is not a list`);
  if (value.length > max) throw new Malformed(`${what} has ${value.length} elements, limit ${max}`);
  return value;
}

/** An integer in [0, 2^53). */
export function countOf(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new Malformed(`${what} is not a count`);
  return value;
}

/** Any finite number: clocks may start below zero. */
export function numberOf(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Malformed(`${what} is not a number`);
  return value;
}

export function textOf(value: unknown, what: string, maxLength = 4096): string {
  if (typeof value !== "string" || value.length > maxLength) throw new Malformed(`${what} is not a text of at most ${maxLength}`);
  return value;
}

export function flagOf(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw new Malformed(`${what} is not true or false`);
  return value;
}

export function bytesOf(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Malformed(`${what} is not bytes`);
  return value;
}

export function oneOf<T extends string>(value: unknown, what: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new Malformed(`${what} is not one of ${allowed.join(", ")}`);
  return found;
}

export function nullable<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null || value === undefined ? null : read(value);
}
