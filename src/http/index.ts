export type { HttpOptions } from "./http-options.ts";
export { type HttpServer, serveHttp } from "./http-server.ts";
