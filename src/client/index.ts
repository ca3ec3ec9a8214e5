export type { Client, ClusterHealth, ConnectOptions, TypedClient } from "./connect.ts";
export { connect } from "./connect.ts";
