import type { HttpListenerConfig, ListenerConfig } from '../config/schema/listener.ts';
import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';

/** Who connects; the port where it is known. */
export interface Peer {
  readonly ip: string;
  readonly port: number | undefined;
}

type SessionConfig = Exclude<ListenerConfig, HttpListenerConfig>;

/** A listener, as far as it has sessions. */
export type SessionListener = Pick<TcpListenerConfig, 'name' | 'address' | 'pool' | 'split' | 'routes'> & {
  /** Clients that no route takes are its own: it ends TLS for them. */
  readonly endsTls: boolean;
};

/** What passes sessions on: a listener of that protocol, or one for HTTP by its `passThrough`. */
function sessionsOf(
  listener: ListenerConfig,
  protocol: SessionConfig['protocol'],
): SessionListener | undefined {
  if (listener.protocol === protocol) return { ...listener, endsTls: false };
  if (protocol !== 'tcp' || listener.protocol !== 'http' || listener.passThrough === undefined)
    return undefined;
  const { name, address, passThrough } = listener;
  const routes = passThrough.map((route, index) =>
    Object.assign({}, route, { name: route.name ?? `passThrough[${index}]` }),
  );
  return { name, address, routes, endsTls: true };
}

/** The listener of that name; a text that says what is there when it has no sessions of that protocol. */
export function sessionListener(
  listeners: readonly ListenerConfig[],
  protocol: SessionConfig['protocol'],
  name: string,
): SessionListener | string {
  const fitting = listeners.flatMap((listener) => sessionsOf(listener, protocol) ?? []);
  const found = fitting.find((listener) => listener.name === name);
  if (found !== undefined) return found;
  const names = fitting.map((listener) => listener.name).join(', ');
  return `there is no ${protocol} listener ${JSON.stringify(name)}; there is ${names === '' ? 'none at all' : names}`;
}
