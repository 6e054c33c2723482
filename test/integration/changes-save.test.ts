import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { cli } from '../support/cli.ts';
import { Pointsman } from '../support/pointsman.ts';

/** `pointsman changes --save`: what was changed at run time goes into the file, and nothing else of it changes. */

let directory: string;
let file: string;
let unix: string;
let pointsman: Pointsman;

const text = (): string => `# The shop.
admin: { address: 127.0.0.1:0, unix: ${unix} }
listeners:
  - name: web
    address: 127.0.0.1:0
    routes: [ { pool: web } ] # everything
pools:
  - name: web
    endpoints:
      - 127.0.0.1:1 # rack 1
      # Bought last.
      - { address: 127.0.0.1:2, name: b }
      - 127.0.0.1:3
`;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-save-'));
  file = join(directory, 'shop.yaml');
  unix = join(directory, 'p.sock');
  writeFileSync(file, text());
  chmodSync(file, 0o640);
  pointsman = new Pointsman(directory, ['run', '-c', file], {});
  await pointsman.started(['web', 'admin']);
});

afterEach(async () => {
  await pointsman.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function run(line: string): Promise<string> {
  const ran = await cli([...line.split(' '), '--admin', `unix:${unix}`]);
  return ran.code === 0 ? ran.out : `${ran.code}: ${ran.err}`;
}

describe('pointsman changes --save', () => {
  test('weights, states, endpoints that came and went are in the file, comments stay', async () => {
    await run('weight web/127.0.0.1:1 5');
    await run('drain web/b');
    await run('endpoints remove web/127.0.0.1:3 --force');
    await run('endpoints add web 127.0.0.1:4 --name d --weight 2');
    const before = statSync(file);
    expect(await run('changes --save')).toBe(`4 changes written to ${file}\n`);
    expect(readFileSync(file, 'utf8')).toBe(
      text()
        .replace('- 127.0.0.1:1 # rack 1', '- { address: 127.0.0.1:1, weight: 5 } # rack 1')
        .replace('{ address: 127.0.0.1:2,', '{ state: draining, address: 127.0.0.1:2,')
        .replace('- 127.0.0.1:3', '- { address: 127.0.0.1:4, name: d, weight: 2 }'),
    );
    expect(statSync(file).mode).toBe(before.mode);
    expect(readdirSync(directory).filter((name) => name.includes('.new'))).toEqual([]);
    expect(await run('changes')).toBe('everything is as the configuration says\n');
    const status = await run('status');
    expect(status).toContain('draining');
    expect(status).toMatch(/\bd +open/);
    // A second time there is nothing to do.
    expect(await run('changes --save')).toBe(`0 changes written to ${file}\n`);
    expect(await run('reload')).toContain('nothing');
  });

  test('a file with errors is not touched, and the changes stand', async () => {
    await run('weight web/b 5');
    const broken = text().replace('listeners:', 'listener:');
    writeFileSync(file, broken);
    expect(await run('changes --save')).toContain('has errors; mend it first');
    expect(readFileSync(file, 'utf8')).toBe(broken);
    expect(await run('changes')).toContain('weight 5');
  });

  test('what stands in the file and was not in force yet is not undone', async () => {
    await run('weight web/b 5');
    writeFileSync(file, text().replace('- 127.0.0.1:3', '- 127.0.0.1:9'));
    expect(await run('changes --save')).toStartWith('1 change written');
    const saved = readFileSync(file, 'utf8');
    expect(saved).toContain('- 127.0.0.1:9');
    expect(saved).toContain('weight: 5');
    expect(await run('status')).toContain('127.0.0.1:9');
  });
});
