import { type Address, formatAddress } from '../../config/schema/address.ts';
import type { DemoEndpoint } from './demo-endpoint.ts';

/** What is different from one demonstration to the next. */
export interface DemoChoices {
  readonly listen: Address;
  readonly admin: Address;
  readonly policy: string | undefined;
  readonly endpoints: readonly DemoEndpoint[];
}

/** The configuration of the demonstration, as a user would write it. */
export function demoConfig({ listen, admin, policy, endpoints }: DemoChoices): string {
  const lines = endpoints.map(({ name, address }) => `      - { name: ${name}, address: ${address} }\n`);
  return `# Written by "pointsman demo". It goes when the demonstration ends.
admin: { address: "${formatAddress(admin)}" }
listeners:
  - name: web
    address: "${formatAddress(listen)}"
    routes:
      - pool: demo
pools:
  - name: demo
${policy === undefined ? '' : `    policy: ${policy}\n`}    healthCheck: { http: { path: /health }, interval: 1s, timeout: 1s, fall: 2, rise: 2 }
    endpoints:
${lines.join('')}`;
}
