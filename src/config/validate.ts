import { check, type Environment } from './check/check.ts';
import type { Draft } from './draft.ts';
import { explain } from './explain.ts';
import { kindOf } from './expectation.ts';
import type { Problem } from './issue.ts';
import { config as schema, type Config } from './schema/config.ts';

export type Validation =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      /** What is right of it. */
      readonly draft: Draft<Config>;
    };

/**
 * Judges a configuration as it came out of a file: first its shape, then all that hangs together in it. A problem in one
 * place hides none in another. Never throws.
 */
export function validate(input: unknown, environment: Environment): Validation {
  if (kindOf(input) !== 'map') {
    const message =
      kindOf(input) === 'nothing' ? 'the configuration is empty' : 'the configuration is not a map';
    // What others write in files of their own is one long text to YAML.
    const hint =
      kindOf(input) === 'text'
        ? 'files of other balancers are not read; docs/guide/coming-from-another-balancer.md has their words and ours'
        : 'it needs at least listeners and pools';
    return { ok: false, problems: [{ code: 'type', at: [], message, hint }], draft: {} };
  }
  const parsed = schema.safeParse(input);
  if (parsed.success) {
    const { errors, warnings } = check(parsed.data, input, environment);
    return errors.length > 0
      ? { ok: false, problems: errors, draft: parsed.data }
      : { ok: true, config: parsed.data, warnings };
  }
  const problems: Problem[] = [];
  const draft = explain(schema, input, [], problems) as Draft<Config>;
  problems.push(...check(draft, input, environment).errors);
  return { ok: false, problems, draft };
}
