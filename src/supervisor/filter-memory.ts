import type { Config } from '../config/schema/config.ts';
import { type HttpListenerConfig, isHttp, type ListenerConfig } from '../config/schema/listener.ts';
import { filterBytes } from '../filters/registry.ts';
import type { SlotKeys } from '../model/shared/slots.ts';
import { KeptFilters } from './kept-filters.ts';
import { filterKey } from './shared-cells.ts';

/** What the memory of each filter of a listener is called, by route and place. */
type Names = readonly (readonly string[])[];

/**
 * Which memory the filters of a configuration have. A filter keeps its own from one configuration to the next by the same rule by which
 * workers keep the filter itself.
 */
export class FilterMemory {
  readonly #names = new WeakMap<HttpListenerConfig, Names>();
  /** Listeners in force, by name. */
  #inForce = new Map<string, HttpListenerConfig>();
  #named = 0;

  /** Of a configuration that may come into force next, or is. */
  regionsOf({ listeners }: Config): SlotKeys['regions'] {
    return listeners.filter(isHttp).flatMap((listener) => {
      const names = this.#namesOf(listener);
      return listener.routes.flatMap(({ filters }, route) =>
        filters.flatMap((filter, place) => {
          const sizeBytes = filterBytes(filter);
          const key = filterKey(listener.name, route, place);
          return sizeBytes === 0 ? [] : [{ key, id: names[route]![place]!, sizeBytes }];
        }),
      );
    });
  }

  /** These listeners are in force. */
  adopt(listeners: readonly ListenerConfig[]): void {
    this.#inForce = new Map(listeners.filter(isHttp).map((listener) => [listener.name, listener]));
  }

  #namesOf(listener: HttpListenerConfig): Names {
    const known = this.#names.get(listener);
    if (known !== undefined) return known;
    const before = this.#inForce.get(listener.name);
    const kept = before === undefined ? undefined : new KeptFilters(before, this.#namesOf(before), listener);
    const names = listener.routes.map(({ filters }, route) =>
      filters.map((filter) => kept?.take(route, filter) ?? `filter ${this.#named++}`),
    );
    this.#names.set(listener, names);
    return names;
  }
}
