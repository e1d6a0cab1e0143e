import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import { assignBundle } from "./bundle.ts";
import { assignClone } from "./clone.ts";
import { type Assignment, assignedNode, enterColocation, isAssigned } from "./context.ts";
import { assignPrimitive, withdrawPrimitive } from "./primitive.ts";
import { report } from "./report.ts";

/** Assigns a resource of any kind. `final`: not finding a node is the last word. Returns the (first) node. */
export function assign(assignment: Assignment, resource: Resource, preferred: PolicyNode | null, final: boolean): PolicyNode | null {
  enterColocation(assignment, resource);
  const node = assignByKind(assignment, resource, preferred, final);
  assignment.depth--;
  return node;
}

function assignByKind(assignment: Assignment, resource: Resource, preferred: PolicyNode | null, final: boolean): PolicyNode | null {
  switch (resource.kind) {
    case "primitive":
      return assignPrimitive(assignment, resource, preferred, final);
    case "group":
      return assignGroup(assignment, resource, preferred, final);
    case "clone":
      assignClone(assignment, resource);
      return null;
    default:
      assignBundle(assignment, resource);
      return null;
  }
}

/** assignment.md 9: members in configured order, bound by their implicit constraints. */
function assignGroup(assignment: Assignment, group: Resource, preferred: PolicyNode | null, final: boolean): PolicyNode | null {
  if (group.parent !== null && !group.parent.assigning && !group.parent.assigned) assign(assignment, group.parent, preferred, true);
  if (group.assigning) return null;
  if (group.assigned && isAssigned(group)) return assignedNode(group);
  group.assigning = true;
  report(assignment.model, "group", group);
  for (const member of group.children) report(assignment.model, "group", member);
  for (const member of group.children) assign(assignment, member, preferred, final);
  group.assigning = false;
  group.assigned = true;
  return assignedNode(group);
}

/** Takes an assignment back, everything below included (6.8, 10.11). */
export function withdraw(assignment: Assignment, resource: Resource): void {
  if (resource.kind === "primitive") withdrawPrimitive(resource);
  else {
    for (const child of resource.children) withdraw(assignment, child);
    resource.assigned = false;
  }
}
