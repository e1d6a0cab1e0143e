import * as z from "zod/mini";
import { API_VERSION, type ApiRequest } from "../../core/ports/index.ts";
import { fault } from "./fault.ts";
import { DEPTH_MAX } from "./limits.ts";

/** A connection numbers its own requests; 0 is the id of answers to what could not be read. */
const requestSchema = z.object({
  v: z.int().check(z.minimum(1)),
  id: z.int().check(z.minimum(1)),
  method: z.string().check(z.regex(/^[a-z][a-zA-Z0-9.-]{0,63}$/)),
  params: z._default(z.unknown(), {}),
});

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
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => `${issue.path.join(".") || "request"}: ${issue.message}`).join("; ");
    throw fault("API_BAD_REQUEST", `not a request: ${where}`, { facts: { id: idIn(value) } });
  }
  if (parsed.data.v !== API_VERSION) {
    const facts = { id: parsed.data.id, versions: [API_VERSION] };
    throw fault("API_VERSION_UNKNOWN", `this node speaks version ${API_VERSION} of the API, not ${parsed.data.v}`, { facts });
  }
  return { v: parsed.data.v, id: parsed.data.id, method: parsed.data.method, params: parsed.data.params };
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
