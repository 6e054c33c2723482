/** What a page of documentation claims about the project, to be held against the project itself. */
export interface Claims {
  /** Files and folders of the project, from its root; may hold `*`. */
  readonly paths: readonly string[];
  /** Command lines that begin with `pointsman`, cut into words. */
  readonly commands: readonly (readonly string[])[];
  /** Names of scripts of package.json. */
  readonly scripts: readonly string[];
  /** Targets of links that do not leave the project. */
  readonly links: readonly string[];
}

const FENCE = /^(`{3,})(\w*)[^\n]*\n([\s\S]*?)^\1/gm;
const SHELLS = new Set(['', 'sh', 'bash', 'shell', 'console']);

/** One command line a line; a `\` at the end joins, `$ ` in front and comments go. */
function commandLines(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) =>
      line
        .replace(/^\s*\$ /, '')
        .replace(/(?:^|\s)#.*$/, '')
        .trim(),
    );
}

function commandWords(line: string): string[] | undefined {
  const match = /^(?:sudo\s+)?(?:\.\/bin\/|npx\s+)?pointsman(?:\s+(.*))?$/.exec(line);
  if (match === null) return undefined;
  const end = /\s(?:\||&|&&|;|>|<)(?:\s|$)/.exec(match[1] ?? '')?.index;
  return (match[1] ?? '').slice(0, end).split(/\s+/).filter(Boolean);
}

/** Reads the claims of a Markdown page. `topLevel` holds the names in the root folder of the project. */
export function claimsOf(markdown: string, topLevel: ReadonlySet<string>): Claims {
  const lines: string[] = [];
  const prose = markdown.replaceAll(FENCE, (_all, _ticks: string, language: string, block: string) => {
    if (SHELLS.has(language)) lines.push(...commandLines(block));
    return '';
  });
  const spans = [...prose.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((match) => match[1]!.trim());
  lines.push(...spans);
  return {
    paths: spans.filter((span) => {
      const path = span.replace(/^\.\//, '');
      if (!/^[\w.@*-]+(?:\/[\w.@*-]*)+$/.test(path) && !/^[A-Z]+\.md$/.test(path)) return false;
      return topLevel.has(path.split('/')[0]!) || /^[A-Z]+\.md$/.test(path);
    }),
    commands: lines.flatMap((line) => {
      const words = commandWords(line);
      return words === undefined ? [] : [words];
    }),
    scripts: lines.flatMap((line) => {
      const script = /^npm (?:run ([\w:-]+)|(test|start))\b/.exec(line);
      return script === null ? [] : [script[1] ?? script[2]!];
    }),
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1]!)
      .filter((link) => !/^[a-z]+:/i.test(link)),
  };
}

/** The anchors that a page's headings get, by the rules that the common Markdown renderers share. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const match of markdown.replaceAll(FENCE, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = match[1]!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let anchor = slug;
    for (let copy = 1; anchors.has(anchor); copy++) anchor = `${slug}-${copy}`;
    anchors.add(anchor);
  }
  return anchors;
}
