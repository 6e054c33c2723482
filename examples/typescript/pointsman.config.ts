import { defineConfig } from 'pointsman';

/** One pool for each team, all alike. */
const teams = [
  { team: 'shop', endpoint: '127.0.0.1:3001' },
  { team: 'search', endpoint: '127.0.0.1:3002' },
];

export default defineConfig({
  admin: { address: '127.0.0.1:9900' },
  listeners: [
    {
      name: 'web',
      address: '127.0.0.1:8080',
      routes: teams.map(({ team }) => ({
        name: team,
        match: { host: `${team}.example.com` },
        pool: team,
      })),
    },
  ],
  pools: teams.map(({ team, endpoint }) => ({
    name: team,
    endpoints: [endpoint],
    healthCheck: { http: { path: '/health' } },
  })),
});
