// The NATS server that the tests run, found once for all of them, by the same code as
// `capstan cluster --transport nats` finds it; hence after the build.
import { readdirSync } from "node:fs";

const built = (path) => import(new URL(`../dist/${path}`, import.meta.url).href);

/**
 * The environment for the tests, and what to say when they are over: which tests were not run, and
 * how to get a server. Undefined if there has to be a server, and there is none.
 */
export async function prepareNats(env) {
  const { findNatsServer, HOW_TO_GET_NATS_SERVER } = await built(
    "cli/nats-server/find-nats-server.js",
  );
  const { programCacheFolder } = await built("cli/nats-server/cache-folder.js");
  const { SystemEnvironment } = await built("core/store/system-environment.js");
  const cacheFolder = await programCacheFolder(env);
  const environment = new SystemEnvironment();
  const onNotice = (line) => console.log(line);
  const found = await findNatsServer({ env, environment, cacheFolder, onNotice });
  if (found !== undefined) {
    console.log(`NATS tests run with ${found.version} (${found.origin}): ${found.path}`);
    return { env: { ...env, NATS_SERVER_BIN: found.path }, lastLines: [] };
  }
  const howTo = `To run them, ${HOW_TO_GET_NATS_SERVER}.`;
  if (env.CAPSTAN_REQUIRE_NATS === "1") {
    console.error(`CAPSTAN_REQUIRE_NATS is 1, and no NATS server was found. ${howTo}`);
    return undefined;
  }
  const folder = "test/processes";
  const files = readdirSync(new URL(`../${folder}`, import.meta.url))
    .filter((name) => /^nats-.*\.test\.ts$/.test(name))
    .map((name) => `  ${folder}/${name}`);
  const lastLines = ["", "NOT RUN, for want of a NATS server:", ...files.sort(), howTo];
  return { env: { ...env, CAPSTAN_NATS_SERVER: "none" }, lastLines };
}
