import { QuorateError } from "../../core/base/index.ts";
import type { FromGuardian, ToGuardian } from "../../core/ports/index.ts";

/** What a field must look like; `object` and `array` are checked deeper by the field lists of their owner. */
type Shape = "string" | "number" | "boolean" | "object" | "array" | "origin" | "action" | "plan" | "outcome";

const TO_GUARDIAN: Readonly<Record<ToGuardian["kind"], Readonly<Record<string, Shape>>>> = {
  hello: { protocol: "number", node: "string", daemonBoot: "number" },
  run: { key: "string", origin: "origin", action: "action", planVersion: "number" },
  cancel: { key: "string" },
  "result.ack": { key: "string" },
  plan: { plan: "plan" },
  deadline: { term: "number", atMonotonicMs: "number" },
  ping: {},
  release: {},
  "self-fence": { reason: "string" },
};

const FROM_GUARDIAN: Readonly<Record<FromGuardian["kind"], Readonly<Record<string, Shape>>>> = {
  welcome: {
    protocol: "number",
    incarnation: "string",
    guarantee: "string",
    kernelGuarantee: "string",
    stopBoundMs: "number",
    planVersion: "number",
    deadlineMonotonicMs: "number",
    running: "array",
    results: "array",
    tripped: "boolean",
    trips: "number",
    stopped: "array",
  },
  result: { key: "string", origin: "origin", action: "action", outcome: "outcome", startedAtMs: "number", finishedAtMs: "number" },
  "plan.ack": { version: "number", stopBoundMs: "number" },
  refused: { key: "string", code: "string" },
  rejected: { code: "string", reason: "string" },
  pong: {},
  tripped: { atMonotonicMs: "number" },
  stopped: { resource: "string", proven: "boolean" },
  walked: { trips: "number" },
};

const ACTION: Readonly<Record<string, Shape>> = {
  resource: "string",
  agentClass: "string",
  type: "string",
  operation: "string",
  intervalMs: "number",
  timeoutMs: "number",
  params: "object",
  meta: "object",
  node: "string",
};

/** Reads a decoded frame as a message to the guardian; throws `GUARDIAN_BAD_MESSAGE` naming the field. */
export function readToGuardian(value: unknown): ToGuardian {
  checkMessage(value, TO_GUARDIAN);
  return value as ToGuardian;
}

/** Reads a decoded frame as a message from the guardian; throws `GUARDIAN_BAD_MESSAGE` naming the field. */
export function readFromGuardian(value: unknown): FromGuardian {
  checkMessage(value, FROM_GUARDIAN);
  return value as FromGuardian;
}

function checkMessage(value: unknown, table: Readonly<Record<string, Readonly<Record<string, Shape>>>>): void {
  if (!isObject(value) || typeof value["kind"] !== "string") bad("a message without a kind");
  const fields = Object.hasOwn(table, value["kind"]) ? table[value["kind"]] : undefined;
  if (fields === undefined) bad(`a message of unknown kind ${JSON.stringify(value["kind"].slice(0, 40))}`);
  checkFields(value, fields, value["kind"]);
}

function checkFields(value: Readonly<Record<string, unknown>>, fields: Readonly<Record<string, Shape>>, where: string): void {
  for (const [name, shape] of Object.entries(fields)) {
    if (!fits(value[name], shape, `${where}.${name}`)) bad(`${where}.${name} is not a ${shape}`);
  }
}

function fits(value: unknown, shape: Shape, where: string): boolean {
  switch (shape) {
    case "string":
    case "boolean":
      return typeof value === shape;
    case "number":
      return typeof value === "number" && !Number.isNaN(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "origin":
      if (value === null) return true;
      if (!isObject(value)) return false;
      checkFields(value, { term: "number", index: "number", incarnation: "string" }, where);
      return true;
    case "action":
      if (!isObject(value)) return false;
      checkFields(value, ACTION, where);
      return textMap(value["params"]) && textMap(value["meta"]) && optionalText(value["provider"]) && optionalText(value["target"]);
    case "outcome":
      return isObject(value) && typeof value["kind"] === "string";
    case "plan":
      return isObject(value) && checkPlan(value, where);
  }
}

function checkPlan(value: Readonly<Record<string, unknown>>, where: string): boolean {
  if (typeof value["version"] !== "number" || !Array.isArray(value["steps"])) return false;
  if (value["stopMs"] !== undefined && typeof value["stopMs"] !== "number") return false;
  for (const step of value["steps"]) {
    if (!isObject(step)) return false;
    checkFields(step, { resource: "string", exclusive: "boolean", action: "action", stage: "number" }, `${where}.steps`);
  }
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textMap(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((item) => typeof item === "string");
}

function optionalText(value: unknown): boolean {
  return value === null || typeof value === "string";
}

function bad(message: string): never {
  throw new QuorateError(`the guardian's link carried ${message}`, { code: "GUARDIAN_BAD_MESSAGE", field: message });
}
