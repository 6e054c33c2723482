import { inheritSocket } from '../net/inherited-socket.ts';
import type { Log } from '../model/ports.ts';
import type { InheritedGroup } from './inherited-sockets.ts';

/** First descriptor that is handed over: sd_listen_fds(3). */
const FIRST = 3;

/**
 * The sockets that systemd opened for us. One socket stands for all workers. The variables are taken away, so that no process that is
 * started later believes them.
 * @param environment LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are read; others' are passed over.
 */
export function activatedSockets(environment: NodeJS.ProcessEnv, pid: number, log: Log): InheritedGroup[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  if (Number(LISTEN_PID) !== pid) return [];
  const names = LISTEN_FDNAMES.split(':');
  const groups: InheritedGroup[] = [];
  for (let index = 0; index < Number(LISTEN_FDS ?? 0); index++) {
    const socket = inheritSocket(FIRST + index);
    const name = names[index] ?? '';
    if (socket !== undefined) groups.push({ listener: name, sockets: [socket] });
    else
      log.warn('socket-unused', {
        name,
        descriptor: FIRST + index,
        reason: 'it is no listening TCP socket and no UDP socket',
      });
  }
  return groups;
}
