import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { isCapstanError } from "../../core/model/errors.ts";
import { encodeValue } from "../../core/model/values.ts";
import type { Store, WatchEvent, WatchOptions } from "../../core/store/api.ts";
import { JSON_FORMAT } from "../answers.ts";
import { headerOf } from "../call-options.ts";
import type { ConnectionTracker } from "../connection-tracker.ts";
import { EventStream } from "../event-stream.ts";
import { EVENT_STREAM_TYPE, negotiate } from "../media-types.ts";
import type { OpenStreams, StreamPlace } from "../open-streams.ts";
import { faultOf, problemOf } from "../problem.ts";
import { keyspaceOf } from "../resource-path.ts";
import { problemAnswer, watchHeaders, watchQuery } from "../schemas.ts";

export interface WatchRouteOptions {
  readonly store: Store;
  readonly streams: OpenStreams;
  readonly connections: ConnectionTracker;
  readonly heartbeatMs: number;
}

type Watch = AsyncIterator<WatchEvent<unknown>>;

/** An event's fields as text: values as JSON, or as their canonical encoding in base64url. */
type ValueForm = (value: unknown) => unknown;

const CANONICAL: ValueForm = (value) => Buffer.from(encodeValue(value)).toString("base64url");

export function addWatchRoute(
  app: FastifyInstance,
  base: string,
  { store, streams, connections, heartbeatMs }: WatchRouteOptions,
): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    `${base}/watch`,
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Changes as they come, as Server-Sent Events",
        description:
          "Events `put`, `delete`, `expire`, `conflict`, `synced` and `gap`, each with its cursor " +
          "as id; `fault`, without an id, ends the stream with a problem.",
        tags: ["data"],
        produces: [EVENT_STREAM_TYPE],
        querystring: watchQuery,
        headers: watchHeaders,
        response: { default: problemAnswer },
      },
    },
    async (request, reply) => {
      negotiate(request.headers.accept, [EVENT_STREAM_TYPE]);
      const place = streams.take();
      try {
        const keyspace = store.keyspace(keyspaceOf(request.originalUrl));
        const { prefix, timeout_ms, values } = request.query;
        const options = optionsOf(request, prefix, timeout_ms);
        const watch = keyspace.watch(options)[Symbol.asyncIterator]();
        const first = watch.next();
        // What is refused is refused before the stream begins: its status can still say so.
        await Promise.race([first, Promise.resolve()]);
        stream(reply, watch, first, { place, connections, heartbeatMs, value: formOf(values) });
      } catch (error) {
        place.free();
        throw error;
      }
      return reply;
    },
  );
}

function optionsOf(
  request: FastifyRequest,
  prefix: string | undefined,
  timeoutMs: number | undefined,
): WatchOptions {
  // A browser that comes back repeats the address it began with: where it stood is in the header.
  const query = request.query as { readonly cursor?: string };
  const cursor = headerOf(request, "last-event-id") || query.cursor;
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function formOf(values: "json" | "canonical" | undefined): ValueForm {
  return values === "canonical" ? CANONICAL : (value) => JSON_FORMAT.value(value);
}

interface StreamOptions {
  readonly place: StreamPlace;
  readonly connections: ConnectionTracker;
  readonly heartbeatMs: number;
  readonly value: ValueForm;
}

function stream(
  reply: FastifyReply,
  watch: Watch,
  first: Promise<IteratorResult<WatchEvent<unknown>>>,
  { place, connections, heartbeatMs, value }: StreamOptions,
): void {
  reply.hijack();
  const events = new EventStream(reply.raw, heartbeatMs);
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    forget();
    place.free();
    void watch.return?.();
    events.end();
  };
  let forget = (): void => undefined;
  reply.raw.once("close", end);
  forget = connections.whenClosed(reply.request.raw.socket, end);
  place.whenClosed(end);
  pass(watch, first, events, value).then(end, (error: unknown) => {
    events.end("fault", JSON.stringify(problemOf(faultOf(error))));
    end();
  });
}

async function pass(
  watch: Watch,
  first: Promise<IteratorResult<WatchEvent<unknown>>>,
  events: EventStream,
  value: ValueForm,
): Promise<void> {
  for (let next = await first; next.done !== true && events.isOpen; next = await watch.next()) {
    const { cursor, ...fields } = next.value;
    const data = JSON.stringify(bodyOf(fields, value));
    await events.send({ id: cursor, event: next.value.type, data });
  }
}

/** A value that JSON cannot hold is left out with a reason: the event itself must not get lost. */
function bodyOf(event: Omit<WatchEvent<unknown>, "cursor">, form: ValueForm): object {
  const { value, siblings, ...rest } = event;
  try {
    return {
      ...rest,
      ...("value" in event ? { value: form(value) } : {}),
      ...(siblings === undefined ? {} : { siblings: siblings.map(form) }),
    };
  } catch (error) {
    if (!isCapstanError(error) || error.code !== "NOT_REPRESENTABLE") throw error;
    return { ...rest, omitted: error.message };
  }
}
