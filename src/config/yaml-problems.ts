import { type Document, Lexer } from 'yaml';

/** A problem of the text itself, by its offset in the text. */
export interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

const MOST_LEVELS = 200;
/** Said where nesting is refused. */
export const TOO_DEEP = 'the file is nested too deeply';
/** Tokens of the lexer that stand for no text. */
const MARKS: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f']);

/**
 * Finds where lists and maps are nested beyond all reason. The parser would take minutes over 20 000 levels on one line;
 * its lexer is linear. Nesting by indentation is bounded by the size of the file, which grows with its square.
 */
export function tooDeep(text: string): SyntaxProblem | undefined {
  let offset = 0;
  let flow = 0;
  let block = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1);
    else if (token === '-' || token === '?') block++;
    else if (token.startsWith('\n')) block = 0;
    if (flow > MOST_LEVELS || block > MOST_LEVELS) return { offset, message: TOO_DEEP };
    if (!MARKS.has(token)) offset += token.length;
  }
  return undefined;
}

/** What the parser found, in our words. */
export function documentProblems(document: Document, text: string): SyntaxProblem[] {
  const found: SyntaxProblem[] = [];
  for (const error of document.errors) found.push(describe(error.code, error.message, error.pos[0], text));
  for (const warning of document.warnings) {
    found.push(describe(warning.code, warning.message, warning.pos[0], text));
  }
  // One mistake often makes the parser stumble again on the same line; the first message is the useful one.
  const seen = new Set<number>();
  return found.filter(({ offset }) => {
    const start = text.lastIndexOf('\n', offset - 1);
    if (seen.has(start)) return false;
    seen.add(start);
    return true;
  });
}

function describe(code: string, message: string, offset: number, text: string): SyntaxProblem {
  switch (code) {
    case 'DUPLICATE_KEY': {
      const key = /^["']?([^\s:"']+)/.exec(text.slice(offset, offset + 100))?.[1] ?? '';
      return { offset, message: `the key "${key}" is here twice`, hint: 'keep one of them' };
    }
    case 'TAB_AS_INDENT':
      return { offset, message: 'a tab is used to indent', hint: 'YAML is indented with spaces' };
    case 'MULTIPLE_DOCS':
      return { offset, message: 'a second document starts here', hint: 'a configuration is one document' };
    case 'TAG_RESOLVE_FAILED':
      return {
        offset,
        message: message.replace('Unresolved tag:', 'unknown tag'),
        hint: 'tags are not used',
      };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        offset,
        message: 'a key with a value cannot stand here',
        hint: 'check the indentation; a text with ": " in it needs quotes',
      };
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        offset,
        message: 'a key must stand on one line',
        hint: 'write a blank after the ":" of a key',
      };
    case 'BAD_SCALAR_START':
      return { offset, message: `a text cannot start with ${text[offset] ?? ''}`, hint: 'put it in quotes' };
    case 'MISSING_CHAR':
    case 'BAD_INDENT': {
      const unclosed = /end with an? ([\]}])|closing (["'])quote/.exec(message);
      const missing = unclosed?.[1] ?? unclosed?.[2];
      if (missing !== undefined) {
        const what = missing === ']' ? 'list' : missing === '}' ? 'map' : 'text';
        return { offset, message: `a ${what} ends nowhere`, hint: `close it with ${missing}` };
      }
      if (!message.startsWith('All ')) break;
      const items = message.includes('mapping') ? 'keys of a map' : 'items of a list';
      return { offset, message: `the ${items} must start in the same column`, hint: 'check the indentation' };
    }
    default:
  }
  return { offset, message: message.charAt(0).toLowerCase() + message.slice(1) };
}
