import { attributeOf, type Element, idOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { OrderKind, OrderSet } from "../model-constraints.ts";
import { isTrue, parseBoolean, parseScore } from "../unpack/index.ts";
import { knownFrom, listed, type Reference, type References, setsOf } from "./references.ts";

/** Reads one `rsc_order` (actions.md U1, U5–U7); `order` turns it into relations. */
export function readOrder(model: Model, constraint: Element, references: References): void {
  const id = idOf(constraint) ?? "";
  const kind = orderKind(model, constraint);
  const symmetrical = isSymmetrical(constraint, kind, kind !== "Serialize");
  const sets = setsOf(model, constraint);
  if (sets.length > 0) {
    const read: OrderSet[] = [];
    for (const set of sets) {
      const one = readSet(model, set, { kind, symmetrical }, references);
      if (one === null) break;
      read.push(one);
    }
    model.orders.push({ id, kind, symmetrical, form: "sets", sets: read });
    return;
  }
  const first = references.find(attributeOf(constraint, "first"));
  const then = references.find(attributeOf(constraint, "then"));
  if (first.kind === "unknown" || then.kind === "unknown") {
    model.warnings.push(`order ${id} is ignored: its resources cannot be resolved`);
    return;
  }
  const firstAction = (attributeOf(constraint, "first-action") ?? "start").toLowerCase();
  const thenAction = (attributeOf(constraint, "then-action") ?? firstAction).toLowerCase();
  if (first.kind === "list" || then.kind === "list") {
    // As with sets: a side with an unknown member orders nothing.
    if (listed(first).includes(null) || listed(then).includes(null)) return;
    const side = (found: Reference, action: string, suffix: string): OrderSet => ({
      id: `${id}-${suffix}`,
      resources: knownFrom(listed(found)),
      action,
      sequential: found.kind !== "list",
      sequentialExplicit: false,
      kind,
      symmetrical,
      requireAll: true,
    });
    model.orders.push({ id, kind, symmetrical, form: "sets", sets: [side(first, firstAction, "first"), side(then, thenAction, "then")] });
    return;
  }
  const requireAll = parseBoolean(attributeOf(constraint, "require-all")) !== false;
  model.orders.push({
    id,
    kind,
    symmetrical,
    form: "simple",
    first: first.resource,
    firstAction,
    then: then.resource,
    thenAction,
    requireAll,
  });
}

/** Without `kind` a `score` of 0 means Optional; an unknown kind is Mandatory (U1). */
function orderKind(model: Model, element: Element): OrderKind {
  const text = attributeOf(element, "kind");
  switch (text?.toLowerCase()) {
    case "optional":
      return "Optional";
    case "serialize":
      return "Serialize";
    case undefined: {
      const score = attributeOf(element, "score");
      return score !== undefined && (parseScore(score, model.options) ?? 0) === 0 ? "Optional" : "Mandatory";
    }
    default:
      return "Mandatory";
  }
}

function isSymmetrical(element: Element, kind: OrderKind, preset: boolean): boolean {
  if (kind === "Serialize") return false;
  const text = attributeOf(element, "symmetrical");
  return text === undefined ? preset : isTrue(text);
}

/** Null if a member names no resource: the sets from there on order nothing. */
function readSet(
  model: Model,
  set: Element,
  constraint: { readonly kind: OrderKind; readonly symmetrical: boolean },
  references: References,
): OrderSet | null {
  const members = references.members(set);
  const sequential = attributeOf(set, "sequential");
  const id = idOf(set) ?? "";
  if (members.includes(null)) {
    model.warnings.push(`order set ${id} names unknown resources`);
    return null;
  }
  const kind = attributeOf(set, "kind") === undefined ? constraint.kind : orderKind(model, set);
  return {
    id,
    resources: knownFrom(members),
    action: (attributeOf(set, "action") ?? "start").toLowerCase(),
    sequential: sequential === undefined || isTrue(sequential),
    sequentialExplicit: isTrue(sequential),
    kind,
    symmetrical: isSymmetrical(set, kind, constraint.symmetrical),
    requireAll: parseBoolean(attributeOf(set, "require-all")) !== false,
  };
}
