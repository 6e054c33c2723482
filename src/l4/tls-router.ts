import type { TlsMatchConfig } from '../config/schema/tls-route.ts';

/** What a route looks at. */
export interface TlsGreeting {
  /** Lower case, without a dot at its end; empty when the client asks for none. */
  readonly serverName: string;
  /** Protocols that the client offers. */
  readonly alpn: readonly string[];
}

/** A route ready for use. */
export interface TlsRoute<T> {
  /** Its name, or its place. */
  readonly name: string;
  readonly index: number;
  /** Any of these; undefined for any at all. */
  readonly protocols: readonly string[] | undefined;
  readonly target: T;
}

/** Stands for "whatever the client asks for". */
const ANY = '';

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value;
}

/** `*.example.com` is kept as `.example.com`, so that it is found by the end of a name. */
function keyOf(pattern: string): string {
  return (pattern.startsWith('*.') ? pattern.slice(1) : pattern).toLowerCase();
}

/**
 * Finds the first route that takes a TLS client, by its name and protocols. Routes lie under their names, so that ten thousand cost
 * what ten do: a client looks under its name, and under the names above it.
 */
export class TlsRouter<T> {
  readonly routes: readonly TlsRoute<T>[];
  /** Places of routes, in order, by the name or the end of a name that they are for. */
  readonly #byName = new Map<string, number[]>();

  /** @param target Turns a route of the configuration into where its sessions go. */
  constructor(
    configs: readonly { readonly name?: string | undefined; readonly match?: TlsMatchConfig | undefined }[],
    target: (index: number) => T,
  ) {
    this.routes = configs.map(({ name, match }, index) => {
      const keys = listOf(match?.sni)?.map(keyOf) ?? [ANY];
      for (const key of new Set(keys)) {
        const places = this.#byName.get(key);
        if (places === undefined) this.#byName.set(key, [index]);
        else places.push(index);
      }
      return {
        name: name ?? `routes[${index}]`,
        index,
        protocols: listOf(match?.alpn),
        target: target(index),
      };
    });
  }

  /** The first route that matches; undefined when none does. */
  route(greeting: TlsGreeting): TlsRoute<T> | undefined {
    const { serverName } = greeting;
    let first = this.#firstUnder(ANY, greeting, this.routes.length);
    if (serverName !== '') {
      first = this.#firstUnder(serverName, greeting, first);
      for (let dot = serverName.indexOf('.'); dot > 0; dot = serverName.indexOf('.', dot + 1))
        first = this.#firstUnder(serverName.slice(dot), greeting, first);
    }
    return this.routes[first];
  }

  /** The first route under a key whose protocols fit, if it comes before `best`; else `best`. */
  #firstUnder(key: string, { alpn }: TlsGreeting, best: number): number {
    for (const place of this.#byName.get(key) ?? []) {
      if (place >= best) break;
      const { protocols } = this.routes[place]!;
      if (protocols === undefined || protocols.some((protocol) => alpn.includes(protocol))) return place;
    }
    return best;
  }
}
