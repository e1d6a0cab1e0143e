import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { freePorts } from "../../scripts/demo-cluster.ts";
import type { LoadConnection } from "./load.ts";

/** Three etcd servers on loopback with their default timings and durability, TLS between the members as ours have it. */
export type EtcdCluster = {
  readonly version: string;
  readonly pids: readonly number[];
  connect(): Promise<LoadConnection>;
  stop(): Promise<void>;
};

const READY_MS = 20_000;

/** Null where no etcd is installed. */
export async function startEtcd(directory: string): Promise<EtcdCluster | null> {
  const version = await etcdVersion();
  if (version === null) return null;
  const ports = await freePorts(6);
  const peers = [0, 1, 2].map((at) => `e${at}=https://127.0.0.1:${ports[at + 3]}`).join(",");
  const children = [0, 1, 2].map((at) => {
    const log = openSync(join(directory, `e${at}.log`), "a");
    const client = `http://127.0.0.1:${ports[at]}`;
    const peer = `https://127.0.0.1:${ports[at + 3]}`;
    const words = ["--name", `e${at}`, "--data-dir", join(directory, `e${at}`), "--listen-client-urls", client];
    words.push("--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer);
    words.push("--initial-cluster", peers, "--initial-cluster-state", "new", "--peer-auto-tls", "--logger", "zap");
    return spawn("etcd", words, { stdio: ["ignore", log, log] });
  });
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(ended));
  };
  try {
    const leader = await leaderPort(ports.slice(0, 3));
    return { version, pids: children.map((child) => child.pid ?? 0), connect: () => grpcConnection(`http://127.0.0.1:${leader}`), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, "exit");
  child.kill("SIGKILL");
  await end;
}

async function etcdVersion(): Promise<string | null> {
  try {
    const child = spawn("etcd", ["--version"], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number | null];
    return code === 0 ? (/etcd Version: (\S+)/.exec(text)?.[1] ?? "unknown") : null;
  } catch {
    return null;
  }
}

/** Asked of the JSON gateway; the load itself goes over gRPC. */
async function leaderPort(ports: readonly number[]): Promise<number> {
  const endMs = Date.now() + READY_MS;
  while (Date.now() < endMs) {
    for (const port of ports) {
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, { method: "POST", body: "{}" });
        const status = (await answer.json()) as { header?: { member_id?: string }; leader?: string };
        if (status.leader !== undefined && status.leader === status.header?.member_id) return port;
      } catch {
        // Not up yet.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("etcd has no leader");
}

function field(number: number, bytes: Buffer): Buffer {
  const size: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    size.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), bytes]);
}

const VALUE_BYTES = 256;

/** `KV.Put` over gRPC: HTTP/2 of Node itself and the two fields of a PutRequest, so that no client library slows etcd down. */
async function grpcConnection(origin: string): Promise<LoadConnection> {
  const session = connect(origin);
  await once(session, "connect");
  return {
    put: (number) =>
      new Promise((resolve, reject) => {
        const value = Buffer.from(String(number).padStart(VALUE_BYTES, "x"));
        const body = Buffer.concat([field(1, Buffer.from(`bench-${number % 256}`)), field(2, value)]);
        const head = Buffer.alloc(5);
        head.writeUInt32BE(body.length, 1);
        const stream = session.request({
          ":method": "POST",
          ":path": "/etcdserverpb.KV/Put",
          "content-type": "application/grpc",
          te: "trailers",
        });
        let status = "";
        stream.on("trailers", (trailers) => {
          status = String(trailers["grpc-status"]);
        });
        stream.on("error", reject);
        stream.on("close", () => (status === "0" ? resolve() : reject(new Error(`grpc-status ${status}`))));
        stream.resume();
        stream.end(Buffer.concat([head, body]));
      }),
    close: () => session.close(),
  };
}
