import { programCacheFolder } from "../../src/cli/nats-server/cache-folder.ts";
import {
  findNatsServer,
  HOW_TO_GET_NATS_SERVER,
} from "../../src/cli/nats-server/find-nats-server.ts";
import { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";

/** Runs a NATS server meanwhile; without one to be had the rows over NATS are left out, and named. */
export async function withNatsServer<Result>(
  use: (url: string | undefined) => Promise<Result>,
): Promise<Result> {
  const { env } = process;
  const environment = new SystemEnvironment();
  const cacheFolder = await programCacheFolder(env);
  const program = await findNatsServer({ env, environment, cacheFolder });
  if (program === undefined) {
    process.stderr.write(`no NATS server, and no rows over NATS: ${HOW_TO_GET_NATS_SERVER}\n`);
    return use(undefined);
  }
  process.stdout.write(`${program.version} (${program.origin})\n`);
  const server = await RunningNatsServer.start(program.path, { environment, env });
  try {
    return await use(server.url);
  } finally {
    await server.stop();
  }
}
