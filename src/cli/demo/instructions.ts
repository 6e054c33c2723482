import type { DemoEndpoint } from './demo-endpoint.ts';

/** What the explanation of the demonstration refers to. */
export interface DemoScene {
  readonly endpoints: readonly DemoEndpoint[];
  /** Base URLs, without a slash at the end. */
  readonly url: string;
  readonly adminUrl: string;
  /** How Pointsman is called from the directory of the user. */
  readonly program: string;
  readonly configFile: string;
}

/** What runs and what to try, with commands that work as they stand. */
export function instructions({ endpoints, url, adminUrl, program, configFile }: DemoScene): string {
  const list = endpoints.map(
    ({ name, address, pid, delayMs }) =>
      `  ${name.padEnd(6)}${address.padEnd(18)}pid ${pid}${delayMs === 0 ? '' : `, takes ${delayMs} ms to answer`}`,
  );
  return `
Pointsman balances ${url}/ over three endpoints, each a small process of its own:

${list.join('\n')}

Open a second terminal in this directory and try this:

  1. Ask a few times. Each answer says which endpoint gave it.

     for i in 1 2 3 4 5 6; do curl -s ${url}/; done

  2. Ask eight at a time. The slow endpoint gets fewer than its third.

     seq 60 | xargs -P 8 -I{} curl -s ${url}/ | sort | uniq -c

  3. Keep asking. This loop ends at the first failure.

     while curl -sSf ${url}/; do sleep 0.1; done

     Kill an endpoint while it runs. The loop goes on. Here you see what Pointsman makes of it.
     The demonstration starts the endpoint again after 5 seconds.

     kill -9 ${endpoints[0]?.pid ?? 0}

  4. Look inside.

     ${program} status --admin ${adminUrl}
     ${program} explain GET ${url}/ -c ${configFile} --admin ${adminUrl}
     curl -s ${adminUrl}/api/v1/pools
     curl -s ${adminUrl}/metrics | grep endpoint_

  5. Take an endpoint out, and bring it back.

     ${program} drain demo/slow --admin ${adminUrl}
     ${program} enable demo/slow --admin ${adminUrl}

  6. Change something, such as the policy, and put it into force.

     \${EDITOR:-vi} ${configFile}
     ${program} reload --admin ${adminUrl}

Ctrl-C ends everything.

`;
}
