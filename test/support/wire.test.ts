import { expect, test } from 'bun:test';

import { H2Wire } from './h2-wire.ts';
import { ScriptedEndpoint } from './scripted-endpoint.ts';
import { dial } from './wire.ts';

const SHORT_MS = 30;

/** What a wait ends with. */
async function complaint(wait: Promise<unknown>): Promise<string> {
  return wait.then(
    () => 'none',
    (error: Error) => error.message,
  );
}

test('a wait in vain is an error that says what was awaited and what came', async () => {
  await using endpoint = await ScriptedEndpoint.start((wire) => wire.send('something else'));
  const wire = await dial(endpoint.address);
  await wire.until(() => wire.receivedBytes > 0);
  expect(await complaint(wire.until(() => wire.text.includes('awaited'), SHORT_MS))).toMatch(
    /awaited.*connection open, 14 bytes came, the last: "something else"/,
  );
  expect(await complaint(wire.untilEnd(SHORT_MS))).toMatch('ending');
  expect(await wire.ends(SHORT_MS)).toBe(false);
  expect(await wire.comes(() => wire.text === 'something else', SHORT_MS)).toBe(true);
  wire.close();
});

test('nobody waits for more from who has ended', async () => {
  await using endpoint = await ScriptedEndpoint.start((wire) => {
    wire.send('last words');
    wire.halfClose();
  });
  const wire = await dial(endpoint.address);
  expect(await complaint(wire.until(() => wire.text.includes('awaited')))).toMatch('connection fin');
  expect(await complaint(new H2Wire(wire).until(() => false))).toMatch('connection fin');
  await wire.untilEnd();
  await wire.until(() => wire.text === 'last words');
  wire.close();
});
