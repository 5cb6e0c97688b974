// The module service behind the proxy.
import { type Hono, Service } from "haraka-runtime";

export default class Web extends Service {
  override routes(app: Hono): void {
    app.get("/", (c) => c.text("here"));
  }
}
