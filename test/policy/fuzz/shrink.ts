import { type Element, withChildren } from "../../../src/core/cib/index.ts";

/** Tries at most this many candidates: each asks the black box. */
const CANDIDATES_MAX = 250;

/** Removes elements as long as the difference stays. */
export async function shrink(cib: Element, stillDiffers: (candidate: Element) => Promise<boolean>): Promise<Element> {
  let best = cib;
  let tries = 0;
  for (let progress = true; progress; ) {
    progress = false;
    for (const path of removable(best)) {
      if (tries++ >= CANDIDATES_MAX) return best;
      const candidate = without(best, path);
      if (candidate === null || !(await stillDiffers(candidate))) continue;
      best = candidate;
      progress = true;
      break;
    }
  }
  return best;
}

/** Elements whose removal may keep the CIB valid; large ones first. */
const REMOVABLE: ReadonlySet<string> = new Set([
  "primitive",
  "group",
  "clone",
  "rsc_location",
  "rsc_colocation",
  "rsc_order",
  "rsc_ticket",
  "rsc_defaults",
  "op_defaults",
  "lrm_resource",
  "transient_attributes",
  "lrm_rsc_op",
  "op",
  "nvpair",
  "meta_attributes",
  "instance_attributes",
]);

function removable(of: Element, path: readonly number[] = []): (readonly number[])[] {
  const paths: (readonly number[])[] = [];
  of.children.forEach((child, at) => {
    const here = [...path, at];
    if (REMOVABLE.has(child.name)) paths.push(here);
    paths.push(...removable(child, here));
  });
  return paths.sort((a, b) => a.length - b.length);
}

function without(of: Element, path: readonly number[]): Element | null {
  const [at, ...rest] = path;
  if (at === undefined) return null;
  const child = of.children[at];
  if (child === undefined) return null;
  if (rest.length === 0)
    return withChildren(
      of,
      of.children.filter((_, position) => position !== at),
    );
  const after = without(child, rest);
  if (after === null) return null;
  return withChildren(
    of,
    of.children.map((other, position) => (position === at ? after : other)),
  );
}
