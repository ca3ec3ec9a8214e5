import { capstanModule, type StoreModule } from "./core/store/modules.ts";
import { resolversByName } from "./resolvers/resolvers-by-name.ts";
import { diskStorage } from "./storage/disk/disk-storage.ts";
import { memoryStorage } from "./storage/memory/memory-storage.ts";
import { dynamoStrategy } from "./strategies/dynamo/dynamo-strategy.ts";
import { raftStrategy } from "./strategies/raft/raft-strategy.ts";
import { tunableStrategy } from "./strategies/tunable/tunable-strategy.ts";
import { memoryTransport } from "./transports/memory/memory-transport.ts";
import { natsTransport } from "./transports/nats/nats-transport.ts";
import { tcpTransport } from "./transports/tcp/tcp-transport.ts";

export { merge as mergeOf } from "./resolvers/merge.ts";
export { resolversByName } from "./resolvers/resolvers-by-name.ts";
/** For simulations, which look into what replicas hold. */
export { ContextTokens } from "./strategies/dynamo/context-token.ts";
export {
  contextOf as contextOfRecord,
  type DottedRecord,
  decodeRecord as decodeDottedRecord,
} from "./strategies/dynamo/dotted-record.ts";
export { Summary as FingerprintSummary } from "./strategies/leaderless/anti-entropy/fingerprint.ts";
export { hintRowsIn } from "./strategies/leaderless/handoff/hint-table.ts";
export { stampOf as stampOfRecord } from "./strategies/leaderless/record.ts";
export { raftBooksOf } from "./strategies/raft/books.ts";
export { termOfEntry as raftTermOf } from "./strategies/raft/entry.ts";
export { groupOf as raftGroupOf } from "./strategies/raft/group.ts";
export { decodeRevision as raftRevisionOf } from "./strategies/raft/version.ts";
export { createMemoryHub, type MemoryHub } from "./transports/memory/memory-hub.ts";
export { natsPermissions } from "./transports/nats/subjects.ts";

/** What a configuration can name without a module of the user's own. */
export function builtIns(): StoreModule {
  return capstanModule({
    transports: { memory: memoryTransport, nats: natsTransport, tcp: tcpTransport },
    storages: { memory: memoryStorage, disk: diskStorage },
    resolvers: resolversByName(),
    strategies: { dynamo: dynamoStrategy, raft: raftStrategy, tunable: tunableStrategy },
  });
}
