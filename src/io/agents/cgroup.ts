import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PREFIX = "quorate-";
/** Empty trees of earlier incarnations are removed when nothing has touched them for this long, milliseconds. */
const STALE_MS = 60_000;

/**
 * Control groups of version 2, one per resource, so that a kill finds every process of it, also those that left their
 * session and overwrote their environment. Only the kernel's `cgroup.procs` and `cgroup.kill` are used; no controllers.
 */
export class CgroupTree {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /**
   * The tree `quorate-ID` below our own group, or null where version 2 is absent or not ours to write (no Delegate=yes).
   * `base` overrides the place.
   */
  static open(id: string, base: string | null): CgroupTree | null {
    const place = base ?? ownGroup();
    if (place === null) return null;
    const root = join(place, `${PREFIX}${id}`);
    sweep(place, root);
    try {
      mkdirSync(root, { recursive: true });
      // A directory that is no control group has no such file; an ordinary directory must not be taken for one.
      if (!existsSync(join(root, "cgroup.procs")) || !existsSync(join(root, "cgroup.kill"))) return null;
      return new CgroupTree(root);
    } catch {
      return null;
    }
  }

  /** Makes the group of a resource; returns the file that a process writes itself into. */
  enter(resource: string): string {
    const group = this.#group(resource);
    mkdirSync(group, { recursive: true });
    return join(group, "cgroup.procs");
  }

  /** Pids in the group of a resource and below. */
  members(resource: string): number[] {
    return membersBelow(this.#group(resource));
  }

  /** Kills all of a resource at once, whatever it forks meanwhile. Frozen or stopped processes die too. */
  kill(resource: string): void {
    const file = join(this.#group(resource), "cgroup.kill");
    try {
      if (existsSync(file)) writeFileSync(file, "1");
    } catch {
      // The group vanished with its last process; the caller looks for survivors anyway.
    }
  }

  /** Removes empty groups; the kernel refuses those that hold processes, which is what we want. */
  tidy(): void {
    for (const name of childrenOf(this.root)) {
      try {
        rmdirSync(join(this.root, name));
      } catch {
        // Still in use.
      }
    }
  }

  /** Removes the whole tree if nothing lives in it; else leaves it to the next guardian. */
  remove(): void {
    this.tidy();
    try {
      rmdirSync(this.root);
    } catch {
      // Resources stay.
    }
  }

  #group(resource: string): string {
    return join(this.root, groupName(resource));
  }
}

/** Removes trees that earlier guardians left empty. The kernel refuses those with processes; a young one may be in use soon. */
function sweep(place: string, own: string): void {
  for (const name of childrenOf(place)) {
    const root = join(place, name);
    if (!name.startsWith(PREFIX) || root === own) continue;
    try {
      if (Date.now() - statSync(root).mtimeMs < STALE_MS) continue;
      for (const group of childrenOf(root)) rmdirSync(join(root, group));
      rmdirSync(root);
    } catch {
      // In use, or swept by another guardian meanwhile.
    }
  }
}

/** A directory name for any resource id: bytes outside the plain set become `_` and two hex digits. */
export function groupName(resource: string): string {
  let name = "";
  for (const byte of Buffer.from(resource, "utf8")) {
    const letter = String.fromCharCode(byte);
    name += /[A-Za-z0-9-]/.test(letter) ? letter : `_${byte.toString(16).padStart(2, "0")}`;
  }
  return `r-${name}`;
}

/** Path of our own version 2 group in the file system, from the texts of /proc/self/mounts and /proc/self/cgroup. */
export function ownGroupPath(mounts: string, cgroup: string): string | null {
  const mount = mounts
    .split("\n")
    .map((line) => line.split(" "))
    .find((fields) => fields[2] === "cgroup2");
  const own = cgroup.split("\n").find((line) => line.startsWith("0::"));
  if (mount?.[1] === undefined || own === undefined) return null;
  return join(mount[1], own.slice("0::".length));
}

function ownGroup(): string | null {
  try {
    return ownGroupPath(readFileSync("/proc/self/mounts", "utf8"), readFileSync("/proc/self/cgroup", "utf8"));
  } catch {
    return null;
  }
}

function membersBelow(group: string): number[] {
  let text: string;
  try {
    text = readFileSync(join(group, "cgroup.procs"), "utf8");
  } catch {
    return [];
  }
  const pids = text
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  for (const name of childrenOf(group)) pids.push(...membersBelow(join(group, name)));
  return pids;
}

function childrenOf(group: string): string[] {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
