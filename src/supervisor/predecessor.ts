import { DescriptorReceiver } from '../net/descriptor-channel.ts';
import { inheritSocket, type InheritedSocket } from '../net/inherited-socket.ts';
import { redirectStandardError } from '../net/standard-error.ts';
import {
  type FromSuccessor,
  STANDARD_ERROR_HANDLE,
  type ToSuccessor,
  UPGRADE_VARIABLE,
} from './handover-messages.ts';
import {
  FORMAT_WITH_STANDARD_ERROR,
  INHERITANCE_FORMAT,
  type Inheritance,
  OLDEST_FORMAT,
} from './inheritance.ts';
import type { InheritedGroup } from './inherited-sockets.ts';

/** How long the last message may take to leave, milliseconds. */
const LAST_MESSAGE_MS = 1000;

/** The Pointsman that this one takes over from, seen from here. */
export class Predecessor {
  readonly #descriptors: DescriptorReceiver;
  readonly #inheritance = Promise.withResolvers<Inheritance>();
  readonly #takeOver = Promise.withResolvers<void>();

  private constructor(channel: number) {
    this.#descriptors = new DescriptorReceiver(channel);
    this.#inheritance.promise.catch(() => {});
    process.on('message', (message: ToSuccessor) => {
      if (message.type === 'inheritance') this.#inheritance.resolve(message.inheritance);
      else this.#takeOver.resolve();
    });
    process.on('disconnect', () => {
      this.#inheritance.reject(new Error('the Pointsman that began the upgrade has ended'));
      // It ended in the middle of it: nobody else has the sockets.
      this.#takeOver.resolve();
    });
  }

  /** Undefined when this process was not started by an upgrade. The variable that says so is taken away. */
  static meet(environment: NodeJS.ProcessEnv): Predecessor | undefined {
    const channel = environment[UPGRADE_VARIABLE];
    delete environment[UPGRADE_VARIABLE];
    return channel === undefined || process.send === undefined ? undefined : new Predecessor(Number(channel));
  }

  /**
   * Everything that is handed over.
   * @throws Error when the other has ended, or is of a version that is not understood.
   */
  async inherit(): Promise<{
    readonly inheritance: Inheritance;
    readonly sockets: readonly InheritedGroup[];
  }> {
    this.#tell({ type: 'here' });
    const inheritance = await this.#inheritance.promise;
    const { format } = inheritance;
    if (format < OLDEST_FORMAT || format > INHERITANCE_FORMAT)
      throw new Error(
        `what is handed over has format ${format}; this version understands ${OLDEST_FORMAT} to ${INHERITANCE_FORMAT}: restart instead`,
      );
    if (format >= FORMAT_WITH_STANDARD_ERROR)
      redirectStandardError(this.#descriptors.take(STANDARD_ERROR_HANDLE));
    const groups = new Map<string, InheritedSocket[]>();
    for (const [id, { listener }] of inheritance.sockets.entries()) {
      const socket = inheritSocket(this.#descriptors.take(id));
      if (socket === undefined) continue;
      const sockets = groups.get(listener) ?? [];
      groups.set(listener, sockets);
      sockets.push(socket);
    }
    this.#descriptors.close();
    return { inheritance, sockets: [...groups].map(([listener, sockets]) => ({ listener, sockets })) };
  }

  /** Workers accept. Resolves when the other accepts no more. */
  async relieve(version: string, revision: number): Promise<void> {
    this.#tell({ type: 'ready', version, revision });
    await this.#takeOver.promise;
    if (process.connected) process.disconnect?.();
  }

  /** Says why this one cannot take over. Resolves when that has left. */
  async fail(lines: readonly string[]): Promise<void> {
    const failed: FromSuccessor = { type: 'failed', lines };
    const sent = new Promise<void>((resolve) => {
      process.send?.(failed, undefined, undefined, () => resolve());
    });
    await Promise.race([sent, Bun.sleep(LAST_MESSAGE_MS)]);
  }

  #tell(message: FromSuccessor): void {
    process.send?.(message);
  }
}
