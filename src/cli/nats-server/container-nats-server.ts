import { chmod, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Environment } from "../../core/contracts/environment.ts";
import { makeFolder } from "../make-folder.ts";
import { isReadable } from "./cache-folder.ts";
import type { NatsServerProgram, NatsServerSearch } from "./find-nats-server.ts";

const IMAGE = "nats:2.10";
const PATH_IN_IMAGE = "/nats-server";
const DOCKER_TIMEOUT_MS = 2_000;
const CONTAINER_TIMEOUT_MS = 120_000;
const DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock";
const TAR_BLOCK_BYTES = 512;

/**
 * The program in the official container image, started once to be copied out of it: it is one
 * static file for Linux, and as a process of this machine it can be killed and restarted like any
 * other. Undefined without Linux, without a Docker that answers, and without `testcontainers`,
 * which is there for those who work on Capstan alone.
 */
export async function containerNatsServer(
  search: NatsServerSearch,
): Promise<Omit<NatsServerProgram, "version"> | undefined> {
  const { env, environment, cacheFolder, onNotice } = search;
  const path = join(cacheFolder, `nats-server-${IMAGE.replace(":", "-")}`);
  const origin = `container image ${IMAGE}`;
  if (process.platform !== "linux") return undefined;
  if (await isReadable(path)) return { path, origin };
  if (!(await dockerAnswers(env.DOCKER_HOST ?? DEFAULT_DOCKER_HOST, environment))) return undefined;
  const library = await import("testcontainers").catch(() => undefined);
  if (library === undefined) return undefined;
  onNotice?.(`fetching a NATS server from the ${origin}`);
  const { GenericContainer, Wait } = library;
  const container = await new GenericContainer(IMAGE)
    .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
    .withStartupTimeout(CONTAINER_TIMEOUT_MS)
    .start();
  try {
    const program = fileInTar(
      await contentsOf(await container.copyArchiveFromContainer(PATH_IN_IMAGE)),
    );
    await makeFolder(cacheFolder);
    const fresh = `${path}.${process.pid}`;
    await writeFile(fresh, program);
    await chmod(fresh, 0o755);
    await rename(fresh, path);
    await rm(fresh, { force: true });
  } finally {
    await container.stop();
  }
  return { path, origin };
}

/** Whether an engine answers a ping there, within two seconds. */
export function dockerAnswers(host: string, environment: Environment): Promise<boolean> {
  const where = host.startsWith("unix://")
    ? { socketPath: host.slice("unix://".length) }
    : hostAndPort(host);
  if (where === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const ping = request({ ...where, path: "/_ping" }, (response) => {
      response.resume();
      settle(response.statusCode === 200);
    });
    const timer = environment.setTimer(DOCKER_TIMEOUT_MS, () => settle(false));
    const settle = (answers: boolean): void => {
      environment.clearTimer(timer);
      ping.destroy();
      resolve(answers);
    };
    ping.on("error", () => settle(false));
    ping.end();
  });
}

/**
 * The contents of the first file of a tar archive.
 *
 * @throws Error if there is none, or it is cut off.
 */
export function fileInTar(archive: Uint8Array): Uint8Array {
  const size = Number.parseInt(Buffer.from(archive.subarray(124, 136)).toString("latin1"), 8);
  const end = TAR_BLOCK_BYTES + size;
  if (!(size > 0) || end > archive.length) {
    throw new Error(`an archive of ${archive.length} bytes holds no whole file`);
  }
  return archive.subarray(TAR_BLOCK_BYTES, end);
}

function hostAndPort(host: string): { readonly host: string; readonly port: number } | undefined {
  const [, name, port] = /^(?:tcp|http):\/\/([^:/]+):(\d+)\/?$/.exec(host) ?? [];
  return name === undefined ? undefined : { host: name, port: Number(port) };
}

async function contentsOf(stream: Readable | NodeJS.ReadableStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}
