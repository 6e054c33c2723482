import { Command } from 'commander';

import { jsonSchemaText } from '../config/json-schema.ts';
import {
  headingOf,
  type Key,
  keysCalled,
  plainPath,
  referenceSections,
  type Section,
  sectionsCalled,
  sectionsUnder,
} from '../config/reference.ts';
import { didYouMean } from '../config/suggest.ts';
import { EXIT } from './exit-code.ts';
import { styled, type Terminal } from './terminal.ts';

interface SchemaOptions {
  readonly jsonSchema?: true;
}

/** `pointsman schema`: what can be written in a configuration, for people or for editors. */
export function schemaCommand(terminal: Terminal, finish: (code: number) => void): Command {
  return new Command('schema')
    .description('print what a configuration can say')
    .argument(
      '[path]',
      'only this part, such as pools.healthCheck, or any part or key of that name, such as tls',
    )
    .option('--json-schema', 'print the JSON Schema, for editors')
    .addHelpText(
      'after',
      `
Examples:
  pointsman schema listeners.limits
  pointsman schema weight
  pointsman schema --json-schema > pointsman.schema.json`,
    )
    .action((path: string | undefined, options: SchemaOptions) => {
      if (options.jsonSchema === true) return terminal.out(jsonSchemaText());
      const all = referenceSections();
      const sections = sectionsAbout(all, path ?? '');
      if (sections.length > 0) {
        for (const section of sections) terminal.out(`${printed(section, terminal.outColor)}\n`);
        return;
      }
      const known = all.map(plainPath).filter((name) => name !== '');
      const hint = didYouMean(path ?? '', known, 'parts') ?? '';
      terminal.err(`error: the configuration has no part "${path}"; ${hint}\n`);
      return finish(EXIT.usage);
    });
}

/** By its path; else whatever has that name, parts before single keys. */
function sectionsAbout(all: readonly Section[], path: string): readonly Section[] {
  const under = sectionsUnder(all, path);
  if (under.length > 0) return under;
  const called = sectionsCalled(all, path);
  return called.length > 0 ? called : keysCalled(all, path);
}

function printed(section: Section, color: boolean): string {
  const title = styled('bold', section.path === '' ? 'top' : headingOf(section), color);
  return `${title}: ${section.description}\n${section.keys.map(line).join('')}`;
}

function line(key: Key): string {
  const note = key.required ? ' (required)' : key.default === undefined ? '' : ` = ${key.default}`;
  return `  ${key.name}: ${key.type}${note}\n      ${key.description}\n`;
}
