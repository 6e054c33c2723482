import { expect, test } from 'bun:test';

import { BoundConnectors } from './bound-connectors.ts';

class FakeConnector {
  unused = false;
  closed = false;
  close(): void {
    this.closed = true;
  }
}

test('a client gets its own, each time the same', () => {
  const bound = new BoundConnectors<FakeConnector>();
  const [ann, bob] = [{}, {}];
  const first = bound.get(ann, () => new FakeConnector());
  expect(bound.get(bob, () => new FakeConnector())).not.toBe(first);
  expect(bound.get(ann, () => new FakeConnector())).toBe(first);
  expect([...bound.all()]).toHaveLength(2);
});

test('those that are not used are forgotten, however many clients come', () => {
  const bound = new BoundConnectors<FakeConnector>();
  const kept = Array.from({ length: 10 }, () => ({}));
  for (const client of kept) bound.get(client, () => new FakeConnector());
  for (let turn = 0; turn < 10_000; turn++) bound.get({}, () => new FakeConnector()).unused = true;
  const all = [...bound.all()];
  expect(all.length).toBeLessThan(200);
  expect(all.filter(({ unused }) => !unused)).toHaveLength(10);
});

test('closing closes all', () => {
  const bound = new BoundConnectors<FakeConnector>();
  const connector = bound.get({}, () => new FakeConnector());
  bound.close();
  expect(connector.closed).toBe(true);
  expect([...bound.all()]).toHaveLength(0);
});
