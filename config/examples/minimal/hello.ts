import { type Hono, Service } from "haraka-runtime";

export default class Hello extends Service {
  override routes(app: Hono): void {
    app.get("/", (c) => c.text("Hello\n"));
  }
}
