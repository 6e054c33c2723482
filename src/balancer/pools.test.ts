import { describe, expect, test } from 'bun:test';

import { PolicyPool, poolConfig } from '../../test/support/policy-pool.ts';
import { updatePool } from './pools.ts';

function names(endpoints: readonly { readonly name: string }[]): string {
  return endpoints.map(({ name }) => name).join(' ');
}

describe('updatePool', () => {
  test('keeps the endpoints it knows, with all that they carry', () => {
    const subject = new PolicyPool({ endpoints: [1, 1, 1] });
    const [a, b, c] = subject.endpoints;
    subject.change('b', { health: 'unhealthy' });
    const busy = subject.take()!;
    const config = poolConfig({ endpoints: [{ weight: 5 }, {}, { name: 'new', address: 'new:1' }] });
    const { added, removed } = updatePool(subject.pool, config, subject.publisher);
    expect(names(added)).toBe('new');
    expect(removed).toEqual([c!]);
    expect(subject.endpoints.slice(0, 2)).toEqual([a!, b!]);
    expect(subject.endpoint('b').health).toBe('unhealthy');
    expect(busy.inFlight).toBe(1);
    expect(a?.effectiveWeight).toBe(5);
    expect(subject.available).toBe('a new');
  });

  test('an endpoint that was removed can still be released', () => {
    const subject = new PolicyPool({ policy: 'first', endpoints: [1, 1] });
    const a = subject.take()!;
    updatePool(
      subject.pool,
      poolConfig({ endpoints: [{ name: 'b', address: 'b.test:80' }] }),
      subject.publisher,
    );
    subject.take();
    subject.release(a);
    expect(a.inFlight).toBe(0);
    expect(subject.endpoint('b').peers.inFlight).toBe(1);
  });

  test('the same name at another address is another endpoint', () => {
    const subject = new PolicyPool({ endpoints: [1] });
    const before = subject.endpoint('a');
    const config = poolConfig({ endpoints: [{ address: 'elsewhere:80' }] });
    const { added, removed } = updatePool(subject.pool, config, subject.publisher);
    expect(removed).toEqual([before]);
    expect(names(added)).toBe('a');
    expect(subject.endpoint('a')).not.toBe(before);
  });

  test('what an operator did at run time stands until the file says something new', () => {
    const subject = new PolicyPool({ endpoints: [{}, {}] });
    subject.change('a', { admin: 'draining' });
    const reload = (state: 'enabled' | 'disabled') => {
      const config = poolConfig({ endpoints: [{ state }, {}] });
      updatePool(subject.pool, config, subject.publisher);
      return subject.endpoint('a').admin;
    };
    expect(reload('enabled')).toBe('draining');
    expect(reload('disabled')).toBe('disabled');
    expect(reload('enabled')).toBe('enabled');
  });

  test('a changed policy takes effect at once, with its metric', () => {
    const subject = new PolicyPool({ policy: 'round-robin', endpoints: [1, 1] });
    expect(subject.endpoint('a').latency).toBeUndefined();
    updatePool(
      subject.pool,
      poolConfig({ policy: 'least-response-time', endpoints: [1, 1] }),
      subject.publisher,
    );
    const { latency } = subject.endpoint('a');
    latency?.observe(100, 0);
    subject.endpoint('b').latency?.observe(1, 0);
    expect(subject.pick()?.name).toBe('b');
    updatePool(
      subject.pool,
      poolConfig({ policy: 'least-response-time', endpoints: [2, 1] }),
      subject.publisher,
    );
    expect(subject.endpoint('a').latency).toBe(latency);
    updatePool(subject.pool, poolConfig({ policy: 'first', endpoints: [2, 1] }), subject.publisher);
    expect(subject.endpoint('a').latency).toBeUndefined();
  });
});

test('createPool starts endpoints in the state that the health check gives them', () => {
  const state = (healthCheck: object | undefined) =>
    new PolicyPool({ endpoints: [1], ...(healthCheck === undefined ? {} : { healthCheck }) }).endpoint('a')
      .health;
  expect(state(undefined)).toBe('unknown');
  expect(state({})).toBe('unknown');
  expect(state({ initial: 'unhealthy' })).toBe('unhealthy');
});
