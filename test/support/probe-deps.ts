import type { ProbeDeps } from '../../src/health/probe.ts';
import { connectDatagrams } from '../../src/net/datagrams.ts';
import { dial } from '../../src/net/dial.ts';
import { resolveHost } from '../../src/net/resolve.ts';
import { TimerWheel } from '../../src/net/timer-wheel.ts';
import { tlsHandshake } from '../../src/net/tls-handshake.ts';
import { systemClock } from '../../src/util/clock.ts';

/** What probes need, as the program gives it to them. */
export function probeDeps(): ProbeDeps {
  return {
    clock: systemClock,
    wheel: new TimerWheel(),
    dial,
    resolve: resolveHost,
    connectDatagrams,
    tlsHandshake,
  };
}
