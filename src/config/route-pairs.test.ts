import { expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { pairRoutes } from './route-pairs.ts';
import { route as schema, type RouteConfig } from './schema/listener.ts';

/** Few names and few contents, so that they meet; a name only once a list, as the check demands. */
const routes: fc.Arbitrary<RouteConfig[]> = fc
  .array(
    fc.record({
      name: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
      status: fc.constantFrom(200, 204, 404),
    }),
    { maxLength: 6 },
  )
  .map((list) =>
    list
      .filter(
        ({ name }, index) => name === undefined || list.findIndex((other) => other.name === name) === index,
      )
      .map(({ name, status }) =>
        schema.parse({ ...(name === undefined ? {} : { name }), reply: { status } }),
      ),
  );

test('no route is taken for two, and a name only for the same name', () => {
  fc.assert(
    fc.property(routes, routes, (before, after) => {
      const pairs = pairRoutes(before, after);
      expect(pairs.length).toBe(after.length);
      const taken = pairs.filter((pair) => pair !== undefined);
      expect(new Set(taken).size).toBe(taken.length);
      for (const [index, pair] of pairs.entries()) {
        if (pair !== undefined) expect(before[pair]?.name).toBe(after[index]?.name);
      }
    }),
  );
});

test('in any order, the same routes are found again', () => {
  fc.assert(
    fc.property(
      routes.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
      ),
      ([before, after]) => {
        const pairs = pairRoutes(before, after);
        expect(pairs.map((pair) => (pair === undefined ? undefined : before[pair]))).toEqual(after);
      },
    ),
  );
});
