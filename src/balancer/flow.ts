import type { Balancer } from '../model/ports.ts';

/**
 * What the data path calls. Nothing else changes `inFlight`, so that it is exact, and with it least-connections, limits
 * and bounded loads.
 */
export const balancer: Balancer = {
  pick(pool, request) {
    return pool.view.picker.pick(request);
  },

  acquire(_pool, endpoint) {
    endpoint.inFlight++;
    endpoint.peers.inFlight++;
  },

  release(_pool, endpoint) {
    if (endpoint.inFlight === 0) return;
    endpoint.inFlight--;
    endpoint.peers.inFlight--;
  },
};
