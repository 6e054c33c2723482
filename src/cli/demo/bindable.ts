import type { Address } from '../../config/schema/address.ts';
import { type Acceptor, listen } from '../../net/listen.ts';

const nobody: Acceptor = { accept: () => undefined, released() {} };

/** The address with a port that is free now (for port 0 any one), or the error code that says why it cannot be had. */
export async function bindable({ host, port }: Address): Promise<Address | string> {
  try {
    const socket = await listen(host, port, nobody);
    socket.stop();
    return { host, port: socket.port };
  } catch (error) {
    return error !== null && typeof error === 'object' && 'code' in error
      ? String(error.code)
      : String(error);
  }
}
