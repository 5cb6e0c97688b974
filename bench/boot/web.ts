// The last of three services that are booted: puts a route on the runtime's own port.
import { type Hono, Service } from "haraka-runtime";
import { Catalog } from "./catalog.ts";

export default class Web extends Service {
  override routes(app: Hono): void {
    app.get("/names", (c) => c.json(this.runtime.get(Catalog).names));
  }
}
