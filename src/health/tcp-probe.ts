import type { Address } from '../config/schema/address.ts';
import type { ConnectionHandler } from '../net/connection.ts';
import { failedDial, type Probe, type ProbeDeps } from './probe.ts';

const closing: ConnectionHandler = {
  onData() {},
  onEnd() {},
  onCongested() {},
  onDrain() {},
  onClose() {},
};

/** Connects and closes. `timeoutMs` covers name resolution and the handshake. */
export function tcpProbe(deps: ProbeDeps, address: Address, timeoutMs: number): Probe {
  return (done) =>
    deps.dial(deps.wheel, address.host, address.port, timeoutMs, {
      onConnected(connection) {
        connection.close();
        done({ passed: true, detail: 'connection accepted' });
        return closing;
      },
      onDialFailed(code, detail) {
        done(failedDial(code, detail));
      },
    });
}
