import { headingOf, type Key, referenceSections, type Section } from '../../src/config/reference.ts';
import { ACCESS_FIELDS } from '../../src/config/access-fields.ts';
import { anchor, GENERATED, table } from './markdown.ts';

const INTRODUCTION = `# Configuration

A configuration is YAML, JSON, or a TypeScript module with \`export default defineConfig({ ... })\`. All three are judged
by the same schema. Unknown keys are errors. \`pointsman check\` lists every problem with its line and says what would be right.

Editors complete and check YAML with this first line, next to the output of \`pointsman schema --json-schema\`
(in this repository: \`schema/pointsman.schema.json\`):

\`\`\`yaml
# yaml-language-server: $schema=./pointsman.schema.json
listeners:
  - name: web
    address: :8080
    routes:
      - pool: web
pools:
  - name: web
    endpoints: [10.0.0.1:3000, 10.0.0.2:3000]
    healthCheck: { http: { path: /health } }
\`\`\`

In TypeScript the same is typed:

\`\`\`ts
import { defineConfig } from 'pointsman';

export default defineConfig({
  listeners: [{ name: 'web', address: ':8080', routes: [{ pool: 'web' }] }],
  pools: [{ name: 'web', endpoints: ['10.0.0.1:3000', '10.0.0.2:3000'] }],
});
\`\`\`

How values are written:

${table(
  ['Type', 'Written as'],
  [
    [
      'duration',
      'a number and a unit, `ms`, `s`, `m`, `h` or `d`: `250ms`, `1.5s`, `1h`; or `0`; at most `24d`',
    ],
    ['size', 'bytes, or a number and a unit: `B`, `KiB`, `MiB`, `GiB` (powers of 1024), `KB`, `MB`, `GB`'],
    [
      'address',
      '`host:port`, `[IPv6]:port`; where something listens also `:port`, which is every IPv4 interface',
    ],
    ['network', 'an address or a network: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`'],
    ['status or a range', '`200`, `200-299`'],
    ['rate', 'requests and a period: `100/s`, `600/m`, `10000/h`, `5/d`'],
  ],
)}
A list marked \`[]\` below holds any number of such maps.
`;

/** docs/reference/configuration.md */
export function configurationReference(): string {
  const sections = referenceSections();
  const contents = sections.map((section) => `- [${title(section)}](#${anchor(title(section))})\n`).join('');
  return `${GENERATED}${INTRODUCTION}\n## Contents\n\n${contents}${sections.map(written).join('')}`;
}

function title(section: Section): string {
  return section.path === '' ? 'Top of the file' : headingOf(section);
}

function written(section: Section): string {
  const rows = section.keys.map((key) => [named(key), key.type, standard(key), key.description]);
  return `\n## ${title(section)}\n\n${section.description}\n\n${table(['Key', 'Type', 'Default', 'Meaning'], rows)}${NOTES[section.path] ?? ''}`;
}

/** What a section needs beyond its table. */
const NOTES: Readonly<Record<string, string>> = {
  accessLog: `\nA template names fields as \`\${status}\`. There are ${ACCESS_FIELDS.map((field) => `\`${field}\``).join(', ')}.\n`,
};

function named(key: Key): string {
  return key.section === undefined ? `\`${key.name}\`` : `[\`${key.name}\`](#${anchor(key.section)})`;
}

function standard(key: Key): string {
  if (key.required) return 'required';
  // A map whose keys all have defaults of their own: its section says more than {} does.
  if (key.default === undefined || (key.type === 'map' && key.default === '{}')) return '';
  return `\`${key.default}\``;
}
