// The least a Hono program can be: one route on `PORT`. The floor under every boot.
import { Hono } from "hono";

const app = new Hono().get("/health", (c) => c.json({ status: "healthy" }));
Bun.serve({ port: Number(process.env.PORT), hostname: "127.0.0.1", fetch: app.fetch });
