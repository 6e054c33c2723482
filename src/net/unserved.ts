import type { ConnectionHandler } from './connection.ts';

/** Serves a connection for the moment in which nobody does. */
export const unserved: ConnectionHandler = {
  onData() {},
  onEnd() {},
  onCongested() {},
  onDrain() {},
  onClose() {},
};
