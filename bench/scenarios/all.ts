import { fixedRate } from './fixed-rate.ts';
import { grpc } from './grpc.ts';
import { http2, http2BothSides } from './http2.ts';
import { idleConnections } from './idle-connections.ts';
import { keepAlive } from './keep-alive.ts';
import { largeBodies } from './large-bodies.ts';
import { newConnections } from './new-connections.ts';
import { routes } from './routes.ts';
import { tcp } from './tcp.ts';
import { tls } from './tls.ts';
import { udp } from './udp.ts';
import type { Scenario } from './scenario.ts';

/** Every scenario, in the order of the report. */
export const scenarios: readonly Scenario[] = [
  keepAlive,
  newConnections,
  largeBodies,
  routes,
  idleConnections,
  fixedRate,
  tls,
  http2,
  http2BothSides,
  grpc,
  tcp,
  udp,
];
