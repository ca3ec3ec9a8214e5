import type {} from "@fastify/swagger";
import type { FastifyInstance } from "fastify";

/** OpenAPI's object, as it is sent. */
export type ApiDescription = Readonly<Record<string, unknown>>;

/**
 * Describes the routes that `addRoutes` adds, the first time that somebody asks: what writes the
 * description takes longer to load than all of the server's own code, and most nodes are never asked.
 *
 * @param createApp as the one that serves; it never listens.
 */
export function apiDescriber(
  createApp: () => FastifyInstance,
  addRoutes: (app: FastifyInstance) => void,
): () => Promise<ApiDescription> {
  let description: Promise<ApiDescription> | undefined;
  return () => {
    description ??= describe(createApp(), addRoutes).catch((error: unknown) => {
      // Whoever asks next is not told of this attempt.
      description = undefined;
      throw error;
    });
    return description;
  };
}

async function describe(
  app: FastifyInstance,
  addRoutes: (app: FastifyInstance) => void,
): Promise<ApiDescription> {
  const [{ default: fastifySwagger }, { jsonSchemaTransform }] = await Promise.all([
    import("@fastify/swagger"),
    import("fastify-type-provider-zod"),
  ]);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Capstan",
        version: "1",
        description:
          "A replicated key-value store. Keys are percent-encoded, and may hold slashes. Every " +
          "answer to a write says in X-Outcome what became of it: applied, not-applied, unknown; or " +
          "per-key, where the body of a batch says it of each write.",
      },
    },
    transform: jsonSchemaTransform,
  });
  addRoutes(app);
  try {
    await app.ready();
    return { ...app.swagger() };
  } finally {
    await app.close();
  }
}
