import type { Balancer } from '../model/ports.ts';

/** How often a pick is repeated because another worker was quicker; then the request waits in the queue like any other. */
const PICKS = 8;

/**
 * What the data path calls. Nothing else changes what is in flight, so that it is exact over all workers, and with it
 * least-connections, limits and bounded loads.
 */
export const balancer: Balancer = {
  pick(pool, request) {
    return pool.view.picker.pick(request);
  },

  take(pool, request) {
    for (let picks = 0; picks < PICKS; picks++) {
      const endpoint = pool.view.picker.pick(request);
      if (endpoint === undefined || balancer.acquire(pool, endpoint)) return endpoint;
    }
    return undefined;
  },

  acquire(_pool, endpoint) {
    if (!endpoint.counts.inFlight.take(endpoint.limit)) return false;
    endpoint.peers.change(1);
    return true;
  },

  release(_pool, endpoint) {
    const { inFlight } = endpoint.counts;
    if (inFlight.own === 0) return;
    inFlight.give();
    endpoint.peers.change(-1);
  },
};
