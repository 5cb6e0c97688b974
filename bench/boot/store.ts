// The first of three services that are booted: holds what the others give out.
import { Service } from "haraka-runtime";

export class Store extends Service<{ items: number }> {
  readonly items = new Map<string, number>();

  override async startup(): Promise<void> {
    for (let item = 1; item <= this.settings.items; item++) this.items.set(`item-${item}`, item);
  }

  override async shutdown(): Promise<void> {
    this.items.clear();
  }
}
