import type { ShardMembers } from "../../core/store/api.ts";
import { accessOf, type ServerOptions, serverUrl } from "../client-session.ts";
import { readHealth } from "../read-health.ts";
import { shardRanges } from "../shard-ranges.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

const HEALTH_TIMEOUT_MS = 5_000;

/** Says of shards that nodes were taken out of if they have fewer copies now than the keyspace asks for. */
export async function tellFewerCopies(
  changed: readonly ShardMembers[],
  options: ServerOptions,
  surroundings: Surroundings,
): Promise<void> {
  const { env, interruption, stderr } = surroundings;
  const url = serverUrl(options, env);
  const health = await readHealth(url, {
    access: accessOf(options, surroundings, url),
    timeoutMs: options.timeout ?? HEALTH_TIMEOUT_MS,
    signal: interruption.signal,
  });
  for (const { name, replicas } of health?.keyspaces ?? []) {
    const short = changed
      .filter((each) => each.keyspace === name && each.replicas.length < replicas)
      .map(({ shard }) => shard)
      .sort((a, b) => a - b);
    if (short.length === 0) continue;
    const which =
      short.length === 1 ? `shard ${short[0]} has` : `shards ${shardRanges(short)} have`;
    printLine(
      stderr,
      `note: ${which} fewer copies now than the ${replicas} that ${name} asks for; ` +
        "capstan members add NODE gives one more",
    );
  }
}
