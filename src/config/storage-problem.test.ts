import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { formatIssue } from './issue.ts';
import { loadYaml } from './load.ts';
import { storageProblem } from './storage-problem.ts';

describe('a directory that is to be written', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pointsman-storage-'));
    writeFileSync(join(directory, 'file'), '');
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  test('is there, or can be made; nothing is made to find it out', () => {
    expect(storageProblem(directory)).toBeUndefined();
    expect(storageProblem(join(directory, 'a', 'b', 'c'))).toBeUndefined();
    expect(readdirSync(directory)).toEqual(['file']);
  });

  test('is a file, or below one', () => {
    const file = join(directory, 'file');
    expect(storageProblem(file)).toBe(`"${file}" is not a directory`);
    expect(storageProblem(join(file, 'acme'))).toBe(`"${file}" is not a directory`);
  });

  test('check warns of it with its place and goes on', () => {
    const storage = join(directory, 'file', 'acme');
    const said = (acme: string): string[] => {
      const text = `acme: ${acme}\nlisteners: [{ name: web, address: ":443", tls: { acme: [a.example] }, routes: [{ pool: web }] }]\npools: [{ name: web, endpoints: [10.0.0.1:80] }]\n`;
      const result = loadYaml(text, 'f');
      expect(result.ok).toBe(true);
      return result.ok ? result.warnings.map((issue) => formatIssue(issue, 'warning')) : [];
    };
    expect(said(`{ storage: ${JSON.stringify(storage)} }`)).toEqual([
      `f:1:18: warning: acme.storage: certificates cannot be stored in "${storage}": "${join(directory, 'file')}" is not a directory; name a directory that Pointsman may write: acme: { storage: ... }`,
    ]);
    expect(said(`{ storage: ${JSON.stringify(join(directory, 'new'))} }`)).toEqual([]);
    expect(existsSync(join(directory, 'new'))).toBe(false);
  });
});
