// TCP ports for tests that have to know a number before anybody listens on it.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

/** A port of 127.0.0.1 that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const { port, server } = await takenPort();
  server.close();
  await once(server, "close");
  return port;
}

/** A port that this process listens on until the server is closed. */
export async function takenPort(): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, server };
}
