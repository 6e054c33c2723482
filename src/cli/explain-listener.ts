import type { HttpListenerConfig, ListenerConfig } from '../config/schema/listener.ts';

/** Who connects; the port where it is known. */
export interface Peer {
  readonly ip: string;
  readonly port: number | undefined;
}

/** A listener that has sessions and no requests. */
export type SessionListenerConfig = Exclude<ListenerConfig, HttpListenerConfig>;

/** The listener of that name; a text that says what is there when it has no sessions of that protocol. */
export function sessionListener(
  listeners: readonly ListenerConfig[],
  protocol: SessionListenerConfig['protocol'],
  name: string,
): SessionListenerConfig | string {
  const fitting = listeners.filter(
    (listener): listener is SessionListenerConfig => listener.protocol === protocol,
  );
  const found = fitting.find((listener) => listener.name === name);
  if (found !== undefined) return found;
  const names = fitting.map((listener) => listener.name).join(', ');
  return `there is no ${protocol} listener ${JSON.stringify(name)}; there is ${names === '' ? 'none at all' : names}`;
}
