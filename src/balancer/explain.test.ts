import { expect, test } from 'bun:test';

import { NOTHING_TRIED, PolicyPool } from '../../test/support/policy-pool.ts';
import { mix32 } from '../util/hash.ts';
import { balancer } from './flow.ts';

test('says of every endpoint why it is out', () => {
  const subject = new PolicyPool({
    policy: 'least-connections',
    endpoints: [
      { name: 'disabled', state: 'disabled' },
      { name: 'draining', state: 'draining' },
      { name: 'bound', weight: 0 },
      { name: 'ill' },
      { name: 'ejected' },
      { name: 'full', maxConnections: 1 },
      { name: 'failed' },
      { name: 'good' },
    ],
  });
  Object.assign(subject.endpoint('ill'), { health: 'unhealthy', healthReason: 'connect refused' });
  Object.assign(subject.endpoint('ejected'), { ejectedUntilMs: 2500, ejectReason: '5 failures in a row' });
  balancer.acquire(subject.pool, subject.endpoint('full'));
  subject.publisher.publish(subject.pool);
  const { candidates, chosen } = subject.explain({ hash: -1, tried: [subject.endpoint('failed')] });
  const reasons = Object.fromEntries(candidates.map(({ endpoint, reason }) => [endpoint, reason]));
  expect(reasons).toMatchObject({
    disabled: 'disabled by the operator',
    draining: 'draining: no new work',
    bound: 'weight 0: bound sessions only',
    ill: 'unhealthy: connect refused',
    ejected: 'ejected for 2.5 s more: 5 failures in a row',
    full: 'full: 1 in flight of 1',
    failed: 'this request has failed there already',
  });
  expect(chosen).toBe('good');
});

test('names the reserve, and the share of a priority when traffic spills over', () => {
  const subject = new PolicyPool({ policy: 'round-robin', endpoints: [{}, {}, { priority: 1 }] });
  const reasonOf = (name: string) =>
    subject.explain().candidates.find(({ endpoint }) => endpoint === name)?.reason;
  expect(reasonOf('c')).toBe('priority 1 is in reserve: enough of the lower ones are healthy');
  subject.change('a', { health: 'unhealthy' });
  expect(reasonOf('c')).toBe('current weight, highest wins; priority 1 has 30 % of the traffic');
});

test('says when a hashing policy passes an endpoint over for its load', () => {
  const subject = new PolicyPool({ policy: 'maglev', endpoints: [1, 1, 1, 1] });
  const hash = mix32(99);
  const home = subject.take(hash)!;
  const { candidates, chosen } = subject.explain({ hash, tried: NOTHING_TRIED });
  expect(chosen).not.toBe(home.name);
  expect(candidates.find(({ endpoint }) => endpoint === home.name)).toMatchObject({
    score: 0,
    reason: 'at its bounded load (1 in flight of 1)',
  });
});

test('says that health is ignored in panic', () => {
  const subject = new PolicyPool({ policy: 'first', endpoints: [1, 1, 1], panicPercent: 50 });
  subject.change('a', { health: 'unhealthy' });
  subject.change('b', { health: 'unhealthy' });
  const { candidates, panic, chosen } = subject.explain();
  expect(panic).toBe(true);
  expect(chosen).toBe('a');
  expect(candidates[0]?.reason).toEndWith('; in panic, health is ignored');
  expect(candidates[2]?.reason).not.toInclude('panic');
});

test('draws lots from its own source, so that the next pick is as it would have been', () => {
  const asked = new PolicyPool({ policy: 'random', endpoints: [1, 1, 1, 1] });
  const left = new PolicyPool({ policy: 'random', endpoints: [1, 1, 1, 1] });
  const outcomes = new Set(Array.from({ length: 50 }, (_, seed) => asked.explain(undefined, seed).chosen));
  expect(outcomes.size).toBe(4);
  expect(asked.explain().candidates[0]).toMatchObject({ score: 25, reason: 'chance in percent' });
  for (let repeat = 0; repeat < 20; repeat++) expect(asked.pick()?.name).toBe(left.pick()!.name);
});
