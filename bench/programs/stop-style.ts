// A bare Hono server on `PORT` that stops as `STYLE` says, the ways people write it by hand: `exit` at once; `stop` after what
// is in flight; or a number of milliseconds, for which readiness is 503 before that.
import { Hono } from "hono";

const style = process.env.STYLE ?? "exit";
let ready = true;
const app = new Hono()
  .get("/", (c) => c.text("here"))
  .get("/health/ready", (c) => c.json({ status: ready ? "ready" : "not_ready" }, ready ? 200 : 503));
const server = Bun.serve({
  port: Number(process.env.PORT),
  hostname: "127.0.0.1",
  fetch(request) {
    // What HTTP/1.0 without Host leaves of a url.
    return request.url.startsWith("/")
      ? app.fetch(new Request(`http://localhost${request.url}`, request))
      : app.fetch(request);
  },
});
async function stop(): Promise<void> {
  if (style === "exit") process.exit(0);
  ready = false;
  if (style !== "stop") await Bun.sleep(Number(style));
  await server.stop();
  process.exit(0);
}
process.once("SIGTERM", () => void stop());
