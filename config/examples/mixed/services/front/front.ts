import { type Hono, Service, z } from "haraka-runtime";

export const settings = z.object({ backend: z.url() });

export class Front extends Service<z.infer<typeof settings>> {
  override routes(app: Hono): void {
    app.get("/", async (c) => c.text(await (await fetch(this.settings.backend)).text()));
  }
}
