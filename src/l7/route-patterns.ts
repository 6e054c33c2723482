import { hostEnd } from './route-values.ts';

/** A host as written in a route. */
export interface HostPattern {
  readonly text: string;
  /** Lower case; of `*.example.com` what follows the star, `.example.com`. */
  readonly name: string;
  readonly wildcard: boolean;
}

export function parseHostPattern(text: string): HostPattern {
  const lower = text.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  return name.startsWith('*.')
    ? { text, name: name.slice(1), wildcard: true }
    : { text, name, wildcard: false };
}

/** Whether the host of an authority is the one, or lies one or more labels below it. Case and port do not matter. */
export function hostMatches(pattern: HostPattern, authority: string): boolean {
  const { name } = pattern;
  const start = hostEnd(authority) - name.length;
  if (pattern.wildcard ? start <= 0 : start !== 0) return false;
  for (let index = 0; index < name.length; index++) {
    if (lowerCode(authority.charCodeAt(start + index)) !== name.charCodeAt(index)) return false;
  }
  return true;
}

/** The character code in lower case, for ASCII. */
export function lowerCode(code: number): number {
  return code >= 65 && code <= 90 ? code | 32 : code;
}

/** A path as written in a route. */
export interface PathPattern {
  readonly text: string;
  /** Of `/api/*` what stands before the last slash, `/api`, and of `/*` nothing. */
  readonly path: string;
  readonly prefix: boolean;
}

/** The configuration check has made sure that the path is normalised, as those of requests are. */
export function parsePathPattern(text: string): PathPattern {
  return text.endsWith('/*')
    ? { text, path: text.slice(0, -2), prefix: true }
    : { text, path: text, prefix: false };
}

/** Whether the path is the one, or (of a prefix) lies at or below it, by whole segments. */
export function pathMatches(pattern: PathPattern, path: string): boolean {
  const base = pattern.path;
  if (!pattern.prefix) return path === base;
  if (!path.startsWith(base)) return false;
  return base === '' || path.length === base.length || path.charCodeAt(base.length) === 47;
}
