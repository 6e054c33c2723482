/** Entry of a worker process, started by the supervisor with a channel for messages and one for descriptors. */
import { onDefect } from '../net/defects.ts';
import { alignWithMachineTime } from '../net/machine-time.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { Worker } from './worker.ts';

// Workers compare times, of who waits longest.
alignWithMachineTime();

/** The supervisor alone decides when a worker ends: signals to the whole group (Ctrl-C, a service manager) reach it, too. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
  process.on(signal, () => {});

const worker = new Worker((message: FromWorker) => void process.send?.(message));
onDefect((error) => worker.onDefect(error));
process.on('uncaughtException', (error) => worker.onDefect(error));
process.on('unhandledRejection', (error) => worker.onDefect(error));
process.on('message', (message: ToWorker) => worker.onMessage(message));
process.on('disconnect', () => void worker.orphaned());
