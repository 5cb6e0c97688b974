import { type Hono, Service } from "haraka-runtime";
import { Worker } from "./worker.ts";

export class Web extends Service {
  override routes(app: Hono): void {
    const worker = this.runtime.get(Worker);
    app.post("/jobs", async (c) => c.json({ result: await worker.submit(await c.req.text()) }));
  }
}
