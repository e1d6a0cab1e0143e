import { attributeOf, childOf, childrenOf, type Element, element, idOf, withAttributes, withChildren } from "./element.ts";

/** Attributes of constraints that name resources. */
const REFERENCES = ["rsc", "with-rsc", "first", "then"] as const;

/**
 * Constraints of 3.x schemas in the current form: one rule a location constraint, no lifetimes, no references to
 * `dropped` resources.
 */
export function upgradeConstraints(configuration: Element, dropped: ReadonlySet<string>): Element {
  const section = childOf(configuration, "constraints");
  if (section === undefined) return configuration;
  const constraints: Element[] = [];
  let changed = false;
  for (const constraint of section.children) {
    const upgraded = namesDropped(constraint, dropped) ? [] : upgradeConstraint(withoutReferences(constraint, dropped));
    if (upgraded.length !== 1 || upgraded[0] !== constraint) changed = true;
    constraints.push(...upgraded);
  }
  if (!changed) return configuration;
  const after = withChildren(section, constraints);
  return withChildren(
    configuration,
    configuration.children.map((child) => (child === section ? after : child)),
  );
}

function namesDropped(constraint: Element, dropped: ReadonlySet<string>): boolean {
  return dropped.size > 0 && REFERENCES.some((name) => dropped.has(attributeOf(constraint, name) ?? ""));
}

function withoutReferences(constraint: Element, dropped: ReadonlySet<string>): Element {
  if (dropped.size === 0 || childOf(constraint, "resource_set") === undefined) return constraint;
  const children = constraint.children.map((set) =>
    withChildren(
      set,
      set.children.filter((reference) => !dropped.has(idOf(reference) ?? "")),
    ),
  );
  return withChildren(constraint, children);
}

function upgradeConstraint(constraint: Element): readonly Element[] {
  const lifetime = childOf(constraint, "lifetime");
  const rest =
    lifetime === undefined
      ? constraint
      : withChildren(
          constraint,
          constraint.children.filter((child) => child !== lifetime),
        );
  if (constraint.name !== "rsc_location") return [rest];
  const limited = lifetime === undefined ? rest : limitByLifetime(rest, childrenOf(lifetime, "rule"));
  const rules = childrenOf(limited, "rule");
  if (rules.length < 2) return [limited];
  return rules.map((rule, at) => {
    const only = withChildren(
      limited,
      limited.children.filter((child) => child.name !== "rule" || child === rule),
    );
    return at === 0 ? only : withAttributes(only, { id: `${idOf(limited) ?? "location"}-${idOf(rule) ?? at}` });
  });
}

/** The rules of a lifetime, or-ed, are and-ed with what the constraint says (status.md 1.3). */
function limitByLifetime(constraint: Element, lifetimes: readonly Element[]): Element {
  if (lifetimes.length === 0) return constraint;
  const id = idOf(constraint) ?? "location";
  const anyOf = element(
    "rule",
    { id: `${id}-lifetime`, "boolean-op": "or" },
    lifetimes.map((rule) => withAttributes(rule, { score: null })),
  );
  const rules = childrenOf(constraint, "rule");
  if (rules.length > 0) {
    const children = constraint.children.map((child) => (child.name === "rule" ? both(child, anyOf, id) : child));
    return withChildren(constraint, children);
  }
  const node = attributeOf(constraint, "node") ?? "";
  const here = element("expression", { id: `${id}-lifetime-node`, attribute: "#uname", operation: "eq", value: node });
  const score = attributeOf(constraint, "score") ?? "0";
  const rule = element("rule", { id: `${id}-lifetime-rule`, "boolean-op": "and", score }, [here, anyOf]);
  return withChildren(withAttributes(constraint, { node: null, score: null }), [...constraint.children, rule]);
}

function both(rule: Element, limit: Element, id: string): Element {
  const inner = element(
    "rule",
    { id: `${id}-lifetime-inner-${idOf(rule) ?? ""}`, "boolean-op": attributeOf(rule, "boolean-op") ?? "and" },
    rule.children,
  );
  return withChildren(withAttributes(rule, { "boolean-op": "and" }), [inner, limit]);
}
