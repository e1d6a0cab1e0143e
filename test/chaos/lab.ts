import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOM_BYTES } from "../../src/io/storage/index.ts";

/** A command of the lab takes well below a second; on a machine with a lot to do, some. */
const COMMAND_TIMEOUT_MS = 60_000;

/** The checkout, whether this file runs from it or from `dist`. */
export function checkoutRoot(): string {
  let place = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(place, "package.json"))) place = dirname(place);
  return place.endsWith("dist") ? dirname(place) : place;
}

/** Runs a program to its end. Rejects with what it printed when the code is not 0. */
export function command(
  program: string,
  args: readonly string[],
  options: { readonly environment?: Readonly<Record<string, string>>; readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { env: { ...process.env, ...options.environment }, timeout: options.timeoutMs ?? COMMAND_TIMEOUT_MS, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program} ${args.join(" ")}: ${error.message}\n${stderr}${stdout}`, { cause: error }));
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
  });
}

/** Where disks of hosts are; `lab down` removes them there only. */
const DISKS = "/var/tmp";
let labs = 0;

/** Makes a small file system of its own in `image`: with what ext4 keeps for itself it still has the room that a new member wants. */
export async function makeSmallDisk(image: string): Promise<void> {
  await command("truncate", ["-s", String(2 * ROOM_BYTES), image]);
  await command("mkfs.ext4", ["-q", "-m", "0", image]);
}

/** Takes down labs of runs that were killed before they could. */
export async function sweepLabs(): Promise<void> {
  for (const entry of readdirSync(DISKS)) {
    const name = /^quorate-lab-(\w+)\./.exec(entry)?.[1];
    const owner = join(DISKS, entry, "owner");
    if (name === undefined || !existsSync(owner) || existsSync(`/proc/${readFileSync(owner, "utf8")}`)) continue;
    process.stderr.write(`taking down lab ${name}, which a killed run has left\n`);
    await command(join(checkoutRoot(), "scripts", "lab", "lab"), ["down"], { environment: { LAB: name } });
    rmSync(join(DISKS, entry), { recursive: true, force: true });
  }
}

/** A lab of `scripts/lab`: hosts n1, n2, ... and a client, on one machine. Needs root. */
export class Lab {
  readonly root = checkoutRoot();
  readonly name: string;
  /** Disks of the hosts: `DIRECTORY/n1/data` is what n1 sees as `/data`. */
  readonly directory: string;
  readonly #bind: readonly string[];

  constructor(options: { readonly bind: readonly string[] }) {
    // Six letters at most; the pid keeps two runs of one machine apart, the count the labs of one run.
    labs += 1;
    this.name = `${"qrstuvwxyz"[labs % 10]}${process.pid.toString(36).slice(-4)}`;
    this.directory = mkdtempSync(join(DISKS, `quorate-lab-${this.name}.`));
    writeFileSync(join(this.directory, "owner"), String(process.pid));
    this.#bind = options.bind;
  }

  run(...args: readonly string[]): Promise<string> {
    return command(join(this.root, "scripts", "lab", "lab"), args, { environment: this.#environment() });
  }

  async up(hosts: number, rings: number): Promise<void> {
    await command(join(this.root, "scripts", "lab", "lab"), ["up", String(hosts)], {
      environment: { ...this.#environment(), RINGS: String(rings), LAB_OWNER: String(process.pid) },
      timeoutMs: 120_000,
    });
  }

  /** Runs a program on a host, with `input` on its standard input. */
  exec(host: string, args: readonly string[], input = "", timeoutMs = COMMAND_TIMEOUT_MS): Promise<string> {
    return command(join(this.root, "scripts", "lab", "lab"), ["exec", host, ...args], {
      environment: this.#environment(),
      input,
      timeoutMs,
    });
  }

  /** Pid of the host's first process as this machine sees it; null when the host is off. */
  pid(host: string): number | null {
    const file = `/run/quorate-lab-${this.name}/${host}.pid`;
    if (!existsSync(file)) return null;
    const pid = Number(readFileSync(file, "utf8").trim());
    return pid > 0 && existsSync(`/proc/${pid}/root/run`) ? pid : null;
  }

  data(host: string): string {
    return join(this.directory, host, "data");
  }

  down(): Promise<string> {
    return this.run("down");
  }

  #environment(): Record<string, string> {
    return { LAB: this.name, LAB_DIR: this.directory, LAB_BIND: this.#bind.join(":") };
  }
}
