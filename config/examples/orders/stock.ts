import { type Hono, Service } from "haraka-runtime";

/** Keeps one reservation an order. What it keeps is in the state surface, so a crash costs nothing. */
export class Stock extends Service {
  override routes(app: Hono): void {
    const { state } = this.runtime;
    app.post("/stock/reserve", async (c) => {
      const { execution, payload } = await c.req.json();
      const known = await state.get("reservations", execution);
      // It was released before it arrived: a late attempt must not bring it back.
      if (known?.value === "released") return c.json({ error: "released" }, 409);
      await state.put("reservations", execution, { value: payload.sku, ifVersion: known?.version ?? 0 });
      return c.json({ reserved: payload.sku });
    });
    app.post("/stock/release", async (c) => {
      const { execution } = await c.req.json();
      await state.put("reservations", execution, { value: "released" });
      return c.json({});
    });
  }
}
