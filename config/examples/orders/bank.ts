import { type Hono, Service } from "haraka-runtime";

/** Takes the price of an order, once. `state/switch/declines` makes it refuse: 402 is a failure for certain. */
export class Bank extends Service {
  override routes(app: Hono): void {
    const { state } = this.runtime;
    app.post("/bank/charge", async (c) => {
      // One key for every attempt, so an attempt whose answer was lost is answered again, and charged once.
      const key = c.req.header("idempotency-key") ?? "";
      const known = await state.get("charges", key);
      if (known) return c.json(known.value);
      const declines = await state.get("switch", "declines");
      if (declines?.value === true) return c.json({ error: "the card is declined" }, 402);
      const { execution, payload } = await c.req.json();
      const { value } = await state.put("charges", key, {
        value: { order: execution, charged: payload.price },
        ifVersion: 0,
      });
      return c.json(value);
    });
  }
}
