import { API_VERSION, type ApiRequest } from "../../core/ports/index.ts";
import { countOf, fieldsOf, Malformed, textOf } from "../wire/index.ts";
import { fault } from "./fault.ts";
import { DEPTH_MAX } from "./limits.ts";

const METHOD = /^[a-z][a-zA-Z0-9.-]{0,63}$/;

/** A connection numbers its own requests; 0 is the id of answers to what could not be read. Throws `Malformed`. */
function requestOf(value: unknown) {
  const fields = fieldsOf(value, "request");
  const [v, id] = [countOf(fields["v"], "v"), countOf(fields["id"], "id")];
  if (v === 0 || id === 0) throw new Malformed(`${v === 0 ? "v" : "id"} is 0`);
  const method = textOf(fields["method"], "method");
  if (!METHOD.test(method)) throw new Malformed("method is no name of one");
  return { v, id, method, params: fields["params"] ?? {} };
}

/**
 * One frame as a request. Throws `API_BAD_REQUEST` for what is not one, `API_VERSION_UNKNOWN` for another version; the
 * fault's facts carry the id when it could be read, so that the answer finds its question.
 */
export function parseRequest(text: string): ApiRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault("API_BAD_REQUEST", `not a JSON document: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (depthExceeds(value, DEPTH_MAX))
    throw fault("API_BAD_REQUEST", `nested deeper than ${DEPTH_MAX} levels`, { facts: { id: idIn(value) } });
  const request = readRequest(value);
  if (request.v !== API_VERSION) {
    const facts = { id: request.id, versions: [API_VERSION] };
    throw fault("API_VERSION_UNKNOWN", `this node speaks version ${API_VERSION} of the API, not ${request.v}`, { facts });
  }
  return { ...request, v: API_VERSION };
}

function readRequest(value: unknown): ReturnType<typeof requestOf> {
  try {
    return requestOf(value);
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw fault("API_BAD_REQUEST", `not a request: ${cause.message}`, { facts: { id: idIn(value) } });
  }
}

/** The id inside something that failed to be a request, or 0. */
export function idIn(value: unknown): number {
  if (typeof value !== "object" || value === null || !("id" in value)) return 0;
  return typeof value.id === "number" && Number.isSafeInteger(value.id) && value.id > 0 ? value.id : 0;
}

/** Walks with its own stack: a document of a million brackets must not end in a stack overflow. */
function depthExceeds(root: unknown, max: number): boolean {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.depth > max) return true;
    for (const child of Object.values(next.value)) {
      if (typeof child === "object" && child !== null) waiting.push({ value: child, depth: next.depth + 1 });
    }
  }
  return false;
}
