import net from 'node:net';

import { bindStream } from '../../src/net/linux/bind-socket.ts';
import { sys } from '../../src/net/linux/libc.ts';

/**
 * A port on every address of loopback that nobody answers on: the kernel holds no more connections for it, so that those to come stay in
 * their first step until who dials gives up.
 */
export class DeafPort {
  readonly port: number;
  readonly #fd: number;
  readonly #fillers: net.Socket[];

  private constructor(port: number, fd: number, fillers: net.Socket[]) {
    this.port = port;
    this.#fd = fd;
    this.#fillers = fillers;
  }

  static async open(): Promise<DeafPort> {
    const { fd, port } = bindStream('0.0.0.0', 0, 'alone');
    if (sys.listen(fd, 0) < 0) throw new Error('listen');
    const fillers: net.Socket[] = [];
    // One more than fits, which shows that nothing does.
    for (let connected = true; connected;) {
      const filler = net.connect({ host: '127.0.0.1', port });
      filler.on('error', () => {});
      fillers.push(filler);
      connected = await Promise.race([
        new Promise<boolean>((resolve) => filler.once('connect', () => resolve(true))),
        // Twice: a machine that stood still has the connection to tell of before the second.
        Bun.sleep(200)
          .then(() => Bun.sleep(50))
          .then(() => false),
      ]);
    }
    return new DeafPort(port, fd, fillers);
  }

  /** So many endpoints, each of an address of its own. */
  names(count: number): string[] {
    return Array.from({ length: count }, (_, index) => `127.0.0.${index + 2}:${this.port}`);
  }

  [Symbol.dispose](): void {
    for (const filler of this.#fillers) filler.destroy();
    sys.close(this.#fd);
  }
}
