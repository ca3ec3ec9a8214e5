import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type nkeys as NKeys, nkeys } from "@nats-io/transport-node";
import { afterEach, describe, expect, test } from "vitest";
import type { RunningNatsServer } from "../../src/cli/nats-server/running-nats-server.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import { NatsNode } from "../support/nats-nodes.ts";
import { temporaryFolder } from "../support/processes.ts";

// Each way of a node to say who it is, and TLS, over a real server that demands it.

type KeyPair = ReturnType<typeof NKeys.createUser>;

const program = await natsProgram();
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(further: Record<string, unknown>): Promise<RunningNatsServer> {
  const server = await startNats(program, { further });
  cleanUps.push(() => server.stop());
  return server;
}

function folder(): string {
  const { path, remove } = temporaryFolder();
  cleanUps.push(remove);
  return path;
}

/** Two nodes that reach each other with these options. */
async function checkReaches(options: Record<string, unknown>): Promise<NatsNode> {
  const nodes = [new NatsNode("n1", options, ["n2"]), new NatsNode("n2", options, ["n1"])];
  const [n1, n2] = nodes as [NatsNode, NatsNode];
  try {
    await Promise.all(nodes.map((node) => node.start()));
    await Promise.all([n1.connected("n2"), n2.connected("n1")]);
    await n1.reaches(n2);
    return n1;
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
  }
}

async function refusalOf(options: Record<string, unknown>): Promise<string> {
  const node = new NatsNode("n1", { startTimeout: "400ms", ...options });
  cleanUps.push(() => node.close());
  const outcome = await node.start().catch((error: unknown) => error);
  if (!isCapstanError(outcome)) throw outcome ?? new Error("it started");
  return `${outcome.code} ${outcome.message}`;
}

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed());
}

/** A token of NATS: claims about `subject`, signed by `issuer`. */
function signed(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const header = part({ typ: "JWT", alg: "ed25519-nkey" });
  const [iss, sub] = [issuer.getPublicKey(), subject.getPublicKey()];
  const claims = part({ jti: name, iat: 1_700_000_000, iss, name, sub, nats });
  const signature = issuer.sign(new TextEncoder().encode(`${header}.${claims}`));
  return `${header}.${claims}.${Buffer.from(signature).toString("base64url")}`;
}

describe.skipIf(program === undefined)("a node", () => {
  test("is let in by a token, and by none but the right one", async () => {
    const server = await serve({ authorization: { token: "sesame" } });
    await checkReaches({ servers: server.url, token: "sesame" });
    const refusal = await refusalOf({ servers: server.url, token: "simsim" });
    expect(refusal).toMatch(/^INVALID_CONFIGURATION .* refused the token \(transport\.token\): /);
    expect(refusal).not.toContain("simsim");
  });

  test("is let in by the seed of an NKey, and by none but a known one", async () => {
    const [known, unknown] = [nkeys.createUser(), nkeys.createUser()];
    const server = await serve({ authorization: { users: [{ nkey: known.getPublicKey() }] } });
    await checkReaches({ servers: server.url, nkey: seedOf(known) });
    const refusal = await refusalOf({ servers: server.url, nkey: seedOf(unknown) });
    expect(refusal).toMatch(/^INVALID_CONFIGURATION .* refused the NKey \(transport\.nkey\): /);
    expect(refusal).not.toContain(seedOf(unknown));
  });

  test("is let in by credentials, as a file or as its contents", async () => {
    const [operator, account, user] = [
      nkeys.createOperator(),
      nkeys.createAccount(),
      nkeys.createUser(),
    ];
    const unlimited = { subs: -1, data: -1, payload: -1 };
    const limits = { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const accountToken = signed(operator, account, "account", {
      limits,
      type: "account",
      version: 2,
    });
    const server = await serve({
      operator: signed(operator, operator, "operator", { type: "operator", version: 2 }),
      resolver: "MEMORY",
      resolver_preload: { [account.getPublicKey()]: accountToken },
    });
    const userToken = signed(account, user, "user", {
      ...{ pub: {}, sub: {}, ...unlimited, type: "user", version: 2 },
    });
    const block = (name: string, text: string): string =>
      `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n\n`;
    const contents = block("NATS USER JWT", userToken) + block("USER NKEY SEED", seedOf(user));
    const file = join(folder(), "node.creds");
    writeFileSync(file, contents);
    const { url } = server;
    await checkReaches({ servers: url, credentials: contents });
    await checkReaches({ servers: url, credentials: file });
    // Taken back, the file is missed by name: nothing else would help.
    const gone = await refusalOf({ servers: url, credentials: `${file}.gone` });
    expect(gone).toContain(`transport.credentials: the file ${file}.gone cannot be read (ENOENT)`);
    writeFileSync(file, "no credentials");
    const empty = await refusalOf({ servers: url, credentials: file });
    expect(empty).toContain(`transport.credentials: the file ${file} hold no NATS credentials`);
    const forged = signed(user, user, "user", { ...unlimited, type: "user", version: 2 });
    const wrong = block("NATS USER JWT", forged) + block("USER NKEY SEED", seedOf(user));
    expect(await refusalOf({ servers: url, credentials: wrong })).toContain(
      "refused the credentials (transport.credentials)",
    );
  });

  test.skipIf(!hasOpenssl)(
    "speaks TLS with the options given, and with nobody unproven",
    async () => {
      const path = folder();
      const [keyFile, certFile] = [join(path, "key.pem"), join(path, "cert.pem")];
      const words =
        `req -x509 -newkey rsa:2048 -nodes -keyout ${keyFile} -out ${certFile} -days 2 ` +
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
      expect(spawnSync("openssl", words.split(" ")).status).toBe(0);
      const server = await serve({ tls: { cert_file: certFile, key_file: keyFile } });
      const servers = `tls://localhost:${server.port}`;
      const n1 = await checkReaches({ servers, tls: { caFile: certFile } });
      const connected = n1.observer.lines.find(({ message }) => message === "connected with NATS");
      expect(connected?.fields.encrypted).toBe(true);
      expect(await refusalOf({ servers })).toMatch(/^UNREACHABLE_SERVER .*self[- ]signed/);
    },
  );

  test("that demands TLS is not content with a server without", async () => {
    const server = await serve({});
    const refusal = await refusalOf({ servers: server.url, tls: true });
    expect(refusal).toMatch(/^UNREACHABLE_SERVER .*server does not support 'tls'/);
  });
});
