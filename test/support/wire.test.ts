import { expect, test } from 'bun:test';

import { H2Wire } from './h2-wire.ts';
import { ScriptedEndpoint } from './scripted-endpoint.ts';
import { dial } from './wire.ts';

const SHORT_MS = 30;

test('a wait in vain is an error that says what was awaited and what came', async () => {
  await using endpoint = await ScriptedEndpoint.start((wire) => wire.send('something else'));
  const wire = await dial(endpoint.address);
  await wire.until(() => wire.receivedBytes > 0);
  await expect(wire.until(() => wire.text.includes('awaited'), SHORT_MS)).rejects.toThrow(
    /awaited.*connection open, 14 bytes came, the last: "something else"/,
  );
  await expect(wire.untilEnd(SHORT_MS)).rejects.toThrow('ending');
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
  await expect(wire.until(() => wire.text.includes('awaited'))).rejects.toThrow('connection fin');
  await expect(new H2Wire(wire).until(() => false)).rejects.toThrow('connection fin');
  await wire.untilEnd();
  await wire.until(() => wire.text === 'last words');
  wire.close();
});
