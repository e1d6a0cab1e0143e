import type { Element } from "../../../src/core/cib/index.ts";

/** A known difference between crm_simulate 2.1.5 and the specified (3.x) behaviour. */
type Exception = { readonly reason: string; readonly applies: (cib: Element) => boolean };

/** At most 15, together at most 2 % of the generated CIBs. */
const EXCEPTIONS: readonly Exception[] = [];

/** The reason why a CIB is expected to differ, or null. */
export function excused(cib: Element): string | null {
  return EXCEPTIONS.find((exception) => exception.applies(cib))?.reason ?? null;
}
