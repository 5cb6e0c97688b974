// The second of three services that are booted: finds its peer by class.
import { Service } from "haraka-runtime";
import { Store } from "./store.ts";

export class Catalog extends Service {
  names: readonly string[] = [];

  override async startup(): Promise<void> {
    this.names = [...this.runtime.get(Store).items.keys()];
  }
}
