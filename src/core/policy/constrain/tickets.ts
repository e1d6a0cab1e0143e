import { attributeOf, type Element, idOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { LossPolicy, Ticket, TicketConstraint } from "../model-constraints.ts";
import { primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE, type Role } from "../model-values.ts";
import { addScoreEverywhere, blockResource, fenceNode, parseRole } from "../unpack/index.ts";
import { knownFrom, listed, type References, setsOf } from "./references.ts";

/** Reads one `rsc_ticket` and lets it act (status.md 25). */
export function readTicket(model: Model, constraint: Element, references: References): void {
  const name = attributeOf(constraint, "ticket");
  if (name === undefined) return;
  const ticket = ticketOf(model, name);
  const policyText = attributeOf(constraint, "loss-policy");
  const apply = (resource: Resource, roleText: string | undefined): void => {
    const role = ticketRole(roleText);
    const lossPolicy = lossPolicyOf(model, policyText, role);
    const made: TicketConstraint = { id: idOf(constraint) ?? "", ticket, resource, role, lossPolicy };
    model.ticketConstraints.push(made);
    resource.tickets.push(made);
    if (ticket.granted && !ticket.standby) return;
    for (const primitive of primitivesOf(resource)) act(model, made, primitive);
  };
  const sets = setsOf(model, constraint);
  const parts =
    sets.length > 0
      ? sets.map((set) => ({ members: references.members(set), role: attributeOf(set, "role") }))
      : [{ members: listed(references.find(attributeOf(constraint, "rsc"))), role: attributeOf(constraint, "rsc-role") }];
  for (const { members, role } of parts) {
    for (const resource of knownFrom(members)) apply(resource, role);
    if (!members.includes(null)) continue;
    model.warnings.push(`ticket constraint ${idOf(constraint) ?? ""} names an unknown resource`);
    return;
  }
}

function ticketOf(model: Model, name: string): Ticket {
  let ticket = model.tickets.get(name);
  if (ticket === undefined) {
    ticket = { id: name, granted: false, standby: false, lastGranted: null };
    model.tickets.set(name, ticket);
  }
  return ticket;
}

function ticketRole(text: string | undefined): Role {
  const role = parseRole(text) ?? ROLE.unknown;
  return role === ROLE.started ? ROLE.unknown : role;
}

function lossPolicyOf(model: Model, text: string | undefined, role: Role): LossPolicy {
  switch (text?.toLowerCase()) {
    case "stop":
      return "stop";
    case "demote":
      return "demote";
    case "freeze":
      return "freeze";
    case "fence":
      if (model.options.fencingEnabled) return "fence";
      model.warnings.push("loss-policy=fence becomes stop: fencing is disabled");
      return "stop";
    default:
      return role === ROLE.promoted ? "demote" : "stop";
  }
}

/** status.md 25.3. */
function act(model: Model, constraint: TicketConstraint, primitive: Resource): void {
  const { ticket, role, lossPolicy } = constraint;
  const ban = (): void => addScoreEverywhere(model, primitive, MINUS_INFINITY, { kind: "ticket", id: constraint.id, detail: ticket.id });
  if (ticket.granted || primitive.activeNodes.length === 0) {
    if (role !== ROLE.promoted || lossPolicy === "stop") ban();
    return;
  }
  const roleMatches = role === ROLE.unknown || role === primitive.role;
  switch (lossPolicy) {
    case "stop":
      ban();
      return;
    case "demote":
      if (role !== ROLE.promoted) ban();
      return;
    case "fence":
      if (!roleMatches) return;
      ban();
      for (const node of primitive.activeNodes) fenceNode(model, node, "deadman ticket was lost");
      return;
    default:
      if (roleMatches) blockResource(primitive);
  }
}
