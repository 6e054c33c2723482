import { available } from './linux/libc.ts';

/**
 * Which sockets carry plain TCP: our own descriptors with epoll where the system has them, those of the runtime elsewhere. The
 * choice can be forced with POINTSMAN_SOCKETS=runtime, to compare the two or to rule one out.
 */
export const usesDescriptors: boolean = available && process.env['POINTSMAN_SOCKETS'] !== 'runtime';
