import type { ConfigIssue } from './issue.ts';
import { type LoadResult, loadValue } from './load.ts';

/** A configuration as the command line gives it: one listener, one pool. */
export interface ConfigFlags {
  /** `:8080` */
  readonly listen: string;
  /** Endpoint addresses; each text may hold several, separated by commas. */
  readonly to: readonly string[];
  readonly policy?: string | undefined;
  /** Address of the admin interface, or `off`. */
  readonly admin?: string | undefined;
}

/** Which flag wrote a part of the configuration, by the start of its path. */
const FLAG_OF: readonly (readonly [path: string, flag: string])[] = [
  ['listeners', '--listen'],
  ['pools[0].endpoints', '--to'],
  ['pools[0].policy', '--policy'],
  ['admin', '--admin'],
];

/** Builds a configuration from flags, judged by the same schema; its issues name the flags instead of keys. */
export function configFromFlags(flags: ConfigFlags): LoadResult {
  const endpoints = flags.to.flatMap((list) => list.split(',')).map((address) => address.trim());
  const result = loadValue({
    ...(flags.admin === undefined ? {} : { admin: flags.admin === 'off' ? false : { address: flags.admin } }),
    listeners: [{ name: 'main', address: flags.listen, routes: [{ pool: 'main' }] }],
    pools: [
      {
        name: 'main',
        ...(flags.policy === undefined ? {} : { policy: flags.policy }),
        endpoints,
        healthCheck: { tcp: {} },
      },
    ],
  });
  return result.ok
    ? { ...result, warnings: result.warnings.map(byFlag) }
    : { ...result, issues: result.issues.map(byFlag) };
}

function byFlag(issue: ConfigIssue): ConfigIssue {
  const flag = FLAG_OF.find(([path]) => issue.path.startsWith(path))?.[1];
  const hint = issue.hint?.replace('admin.address', '--admin');
  return { ...issue, path: flag ?? issue.path, ...(hint === undefined ? {} : { hint }) };
}
