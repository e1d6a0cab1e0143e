import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConfigurationEdit, canonicalText, type Element, element, idOf, withChildren } from "../../src/core/cib/index.ts";
import { type ApiCall, type ApiHandler, createApiServer, fault } from "../../src/io/api/index.ts";

/**
 * A daemon's API without a cluster behind it: the real protocol, a configuration that `config.commit` really edits with
 * compare-and-set, and a record of every request. Answers of other methods are set by the test.
 */
export class FakeDaemon implements ApiHandler {
  configuration: Element;
  status: Element = element("status");
  epoch = 1;
  readonly requests: { readonly method: string; readonly params: unknown }[] = [];
  readonly answers = new Map<string, (params: unknown) => unknown>();
  readonly socketPath: string;
  readonly #close: () => Promise<void>;

  private constructor(configuration: Element, socketPath: string, close: () => Promise<void>) {
    this.configuration = configuration;
    this.socketPath = socketPath;
    this.#close = close;
    this.answers.set("ping", () => ({ version: "0.1.0", apiVersion: 1, node: "n1", phase: "member" }));
    for (const method of ["node.standby", "node.maintenance", "resource.cleanup", "resource.refresh"]) {
      this.answers.set(method, () => ({ index: this.epoch, epoch: this.epoch }));
    }
    this.answers.set("wait.idle", () => ({ index: this.epoch, idle: true }));
  }

  static async start(configuration: Element): Promise<FakeDaemon> {
    const directory = await mkdtemp(join(tmpdir(), "quorate-fake-"));
    const socketPath = join(directory, "api.sock");
    let close = async (): Promise<void> => {};
    const fake = new FakeDaemon(configuration, socketPath, () => close());
    const server = await createApiServer({ socketPath, handler: fake, log: { warn: () => {} } });
    close = async () => {
      await server.close();
      await rm(directory, { recursive: true });
    };
    return fake;
  }

  stop(): Promise<void> {
    return this.#close();
  }

  /** Methods asked since the last call, without reads. */
  takeWrites(): { readonly method: string; readonly params: unknown }[] {
    const reads = new Set(["ping", "cib.get", "status", "cluster.status"]);
    return this.requests.splice(0).filter((request) => !reads.has(request.method));
  }

  isWatch(): boolean {
    return false;
  }

  async watch(): Promise<{ result: unknown; stop: () => void }> {
    throw fault("UNKNOWN_METHOD", "no watches here");
  }

  async request(call: ApiCall): Promise<unknown> {
    if (call.method === "session.open") return { client: 1 };
    if (call.method === "session.close") return {};
    const { session: _, ...params } = call.params as { readonly session?: unknown };
    this.requests.push({ method: call.method, params });
    const answer = this.answers.get(call.method);
    if (answer !== undefined) return answer(call.params);
    const cib = element("cib", { epoch: String(this.epoch) }, [this.configuration, this.status]);
    switch (call.method) {
      case "cib.get":
        return { cib, epoch: this.epoch, index: this.epoch, featureLevel: 1 };
      case "config.commit":
        return this.#commit(call.params as { edits: ConfigurationEdit[]; force?: boolean; epoch?: number });
      default:
        throw fault("UNKNOWN_METHOD", `no such method: ${call.method}`);
    }
  }

  #commit(params: { edits: ConfigurationEdit[]; force?: boolean; epoch?: number }): unknown {
    if (params.epoch !== undefined && params.epoch !== this.epoch) throw fault("PLAN_STALE", `the epoch is ${this.epoch} now`);
    let next = this.configuration;
    for (const edit of params.edits) {
      const section = next.children.find((child) => child.name === edit.section) ?? element(edit.section);
      const old = section.children.find((child) => idOf(child) === edit.id);
      if (params.force !== true && (old === undefined ? null : canonicalText(old)) !== edit.before) {
        throw fault("CIB_CONFLICT", `${edit.id} was changed by somebody else`, { facts: { section: edit.section, id: edit.id } });
      }
      const others = section.children.filter((child) => child !== old);
      const objects =
        edit.after === null
          ? others
          : old === undefined
            ? [...others, edit.after]
            : section.children.map((child) => (child === old ? edit.after! : child));
      const replaced = withChildren(section, objects);
      next = withChildren(
        next,
        next.children.some((child) => child.name === edit.section)
          ? next.children.map((child) => (child.name === edit.section ? replaced : child))
          : [...next.children, replaced],
      );
    }
    this.configuration = next;
    this.epoch += 1;
    return { index: this.epoch, epoch: this.epoch };
  }
}

/** `primitive`, `group`, ... from a compact description, to keep tests readable. */
export function primitive(id: string, meta: Readonly<Record<string, string>> = {}): Element {
  const pairs = Object.entries(meta).map(([name, value]) => element("nvpair", { id: `${id}-meta_attributes-${name}`, name, value }));
  const sets = pairs.length === 0 ? [] : [element("meta_attributes", { id: `${id}-meta_attributes` }, pairs)];
  return element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, sets);
}

/** Three nodes, a lone resource, a group of two and a clone. */
export function sampleConfiguration(): Element {
  return element("configuration", {}, [
    element("crm_config"),
    element(
      "nodes",
      {},
      ["n1", "n2", "n3"].map((name, index) => element("node", { id: String(index + 1), uname: name })),
    ),
    element("resources", {}, [
      primitive("web"),
      element("group", { id: "grp" }, [primitive("fs", { "target-role": "Stopped" }), primitive("db")]),
      element("clone", { id: "ping-clone" }, [primitive("ping")]),
    ]),
    element("constraints"),
  ]);
}
