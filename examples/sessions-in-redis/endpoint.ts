/** An endpoint that counts the visits of a session in Redis: `PORT=3001 REDIS_URL=redis://127.0.0.1:6379 bun endpoint.ts`. */
import { RedisClient } from 'bun';

const { PORT = '3001', REDIS_URL = 'redis://127.0.0.1:6379' } = process.env;
const SESSION_SECONDS = 3600;
const redis = new RedisClient(REDIS_URL);

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(PORT),
  async fetch(request) {
    const known = /(?:^|; )session=([\da-f-]{36})(?:;|$)/.exec(request.headers.get('cookie') ?? '')?.[1];
    const session = known ?? crypto.randomUUID();
    const key = `session:${session}`;
    const visits = await redis.incr(key);
    await redis.expire(key, SESSION_SECONDS);
    const headers = known === undefined ? { 'Set-Cookie': `session=${session}; Path=/; HttpOnly` } : {};
    return Response.json({ endpoint: PORT, visits }, { headers });
  },
});
