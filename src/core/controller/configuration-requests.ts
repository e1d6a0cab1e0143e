import { type Command, type ConfigurationEdit, canonicalText, type NodeStatus } from "../cib/index.ts";
import type { Ask, Desk } from "./desk.ts";
import { stampMs } from "./host.ts";
import { type Params, RequestError } from "./params.ts";
import { conflictFacts, type Lifetime, unknownNode, withNodeAttribute } from "./request-parts.ts";

/** What a commit is made of: edits that fit into one entry, or the name of an upload that came in parts. */
type Change = Extract<Command, { kind: "config.edit" | "upload.commit" }>;

/** Requests that change the configuration. */
export class ConfigurationRequests {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  commit(ask: Ask, params: Params): void {
    const upload = params.optionalText("upload");
    const epoch = params.optionalNumber("epoch");
    const terms = epoch === null ? {} : { ifEpoch: epoch };
    const change: Change =
      upload === null
        ? { kind: "config.edit", edits: params.edits("edits"), ...terms }
        : { kind: "upload.commit", upload, parts: params.number("parts"), ...terms };
    this.#commit(ask, change, params.flag("force", false), false);
  }

  upload(ask: Ask, params: Params): void {
    const upload = params.hash("upload");
    const command = { kind: "upload.part", upload, number: params.number("number"), edits: params.edits("edits") } as const;
    this.#desk.propose(ask, [command], ([result]) => this.#desk.finish(ask.id, { received: result?.value ?? 0 }));
  }

  uploadStatus(ask: Ask, params: Params): void {
    const upload = params.hash("upload");
    this.#desk.upToDate(ask.id, () => {
      const received = this.#desk.host.state.uploads.get(upload)?.parts.length ?? 0;
      this.#desk.finish(ask.id, { received });
    });
  }

  uploadDrop(ask: Ask, params: Params): void {
    this.#desk.write(ask, [{ kind: "upload.drop", upload: params.hash("upload") }]);
  }

  attribute(ask: Ask, node: NodeStatus, name: string, value: string | null, lifetime: Lifetime, confirmed = false): unknown {
    const desk = this.#desk;
    if (lifetime === "reboot") {
      return desk.write(ask, [{ kind: "attribute.set", changes: [{ node: node.name, name, value }] }]);
    }
    const object = desk.host.state.sections.nodes.objects.get(node.id);
    if (object === undefined) throw unknownNode(node.name);
    const after = withNodeAttribute(object.element, name, value);
    if (canonicalText(after) !== canonicalText(object.element)) {
      const edits = [{ section: "nodes", id: node.id, before: canonicalText(object.element), after }] as const;
      return this.#commit(ask, { kind: "config.edit", edits }, false, false);
    }
    // Nothing to do, if this is what holds now: this node may know only what held before.
    if (confirmed) return desk.finish(ask.id, desk.position());
    return desk.upToDate(ask.id, () => this.attribute(ask, node, name, value, lifetime, true));
  }

  /**
   * Rehearses, then proposes. A refusal must be one of the present: this node may lag behind (after a restart, behind a
   * slow link), and a conflict with what was so long ago is none. So what fails is rehearsed once more on a confirmed state.
   */
  #commit(ask: Ask, change: Change, force: boolean, confirmed: boolean): unknown {
    const desk = this.#desk;
    const known = desk.recall(ask);
    if (known?.ok === true) return desk.finishWith(ask.id, known);
    if (force) return this.#propose(ask, change);
    if (!desk.plannerUp) {
      throw new RequestError("POLICY_WORKER_DOWN", "the policy worker is not running, so this change cannot be rehearsed", {
        retryable: true,
      });
    }
    const context = desk.askPlanner(ask.id, (message) => {
      if (message.kind !== "rehearsed") return;
      if (message.problem === null) return this.#propose(ask, change);
      if (!confirmed) return desk.upToDate(ask.id, () => this.#commit(ask, change, force, true));
      const { code, message: text } = message.problem;
      // Sent before, it may still be on its way into the log: the refusal has to take its place there.
      if (ask.repeated && ask.origin !== null) return desk.write(ask, [{ kind: "session.refuse", code, message: text }], editsOf(change));
      throw new RequestError(code, text, { facts: conflictFacts(code, editsOf(change), desk.host.state.epoch) });
    });
    const nowMs = stampMs(desk.host);
    const what = change.kind === "config.edit" ? { edits: change.edits } : { upload: change.upload };
    desk.host.emit({ kind: "planner", message: { kind: "rehearse", id: context, ...what, nowMs } });
  }

  #propose(ask: Ask, change: Change): unknown {
    return this.#desk.write(ask, [change], editsOf(change));
  }
}

function editsOf(change: Change): readonly ConfigurationEdit[] {
  return change.kind === "config.edit" ? change.edits : [];
}
