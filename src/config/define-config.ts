import type { ConfigInput } from './schema/config.ts';

export type { ConfigInput };

/**
 * For `pointsman.config.ts`: gives the object its type, so that editors complete and check it.
 * It changes nothing; the same schema judges it as a YAML file when it is loaded.
 */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
