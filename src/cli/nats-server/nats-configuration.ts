/** What a server is started with; see `natsConfiguration`. */
export interface NatsServerSettings {
  /** Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /** Who may connect; without it, everybody. */
  readonly users?: readonly NatsUser[];
  /** Whatever else its configuration file knows. */
  readonly further?: Readonly<Record<string, unknown>>;
  /** Makes it one of several servers that pass messages on to each other. */
  readonly cluster?: {
    readonly name: string;
    readonly port: number;
    /** Cluster ports of the others. */
    readonly routes: readonly number[];
  };
}

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** Subjects; without it, all. */
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
}

/** The configuration file of a server on loopback: its format takes JSON. */
export function natsConfiguration(
  port: number,
  pidFile: string,
  settings: NatsServerSettings,
): string {
  const { maxPayloadBytes, users, cluster, further } = settings;
  const configuration = {
    host: "127.0.0.1",
    port,
    pid_file: pidFile,
    ...(maxPayloadBytes === undefined ? {} : { max_payload: maxPayloadBytes }),
    ...(users === undefined ? {} : { authorization: { users: users.map(userEntry) } }),
    ...(cluster === undefined ? {} : { cluster: clusterEntry(cluster) }),
    ...further,
  };
  return `${JSON.stringify(configuration, null, 2)}\n`;
}

function userEntry({ user, password, publish, subscribe }: NatsUser): object {
  const permissions = {
    ...(publish === undefined ? {} : { publish: { allow: publish } }),
    ...(subscribe === undefined ? {} : { subscribe: { allow: subscribe } }),
  };
  return { user, password, permissions };
}

function clusterEntry({ name, port, routes }: NonNullable<NatsServerSettings["cluster"]>): object {
  return {
    name,
    host: "127.0.0.1",
    port,
    routes: routes.map((each) => `nats://127.0.0.1:${each}`),
  };
}
