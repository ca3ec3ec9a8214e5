export type { Client, ClusterHealth, ConnectOptions } from "./connect.ts";
export { connect } from "./connect.ts";
