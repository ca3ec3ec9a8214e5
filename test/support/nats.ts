import { programCacheFolder } from "../../src/cli/nats-server/cache-folder.ts";
import { findNatsServer } from "../../src/cli/nats-server/find-nats-server.ts";
import type { NatsServerSettings } from "../../src/cli/nats-server/nats-configuration.ts";
import { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";

const environment = new SystemEnvironment();

/**
 * The program to test with, or undefined: then these tests are skipped, and `npm test` says so in
 * its last lines. It has looked already, and says here what it found.
 */
export async function natsProgram(): Promise<string | undefined> {
  if (process.env.CAPSTAN_NATS_SERVER === "none") return undefined;
  const { env } = process;
  const cacheFolder = await programCacheFolder(env);
  const found = await findNatsServer({ env, environment, cacheFolder });
  if (found === undefined && env.CAPSTAN_REQUIRE_NATS === "1") {
    throw new Error("there is no NATS server, and CAPSTAN_REQUIRE_NATS is 1");
  }
  return found?.path;
}

export function startNats(
  program: string | undefined,
  settings: NatsServerSettings & { readonly port?: number } = {},
): Promise<RunningNatsServer> {
  if (program === undefined) throw new Error("there is no NATS server");
  return RunningNatsServer.start(program, { environment, env: process.env, ...settings });
}
