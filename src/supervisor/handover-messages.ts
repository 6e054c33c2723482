import type { Inheritance } from './inheritance.ts';

/** Environment variable that says to a program that it is started by an upgrade: the descriptor that sockets come by. */
export const UPGRADE_VARIABLE = 'POINTSMAN_UPGRADE';
/** That descriptor: the first behind those that every program has. */
export const HANDOVER_DESCRIPTOR = 3;
/**
 * Number by which the standard error of the old program comes, behind those of all sockets. Until it takes that, the old one reads what the new
 * one writes, to tell it when the new one fails.
 */
export const STANDARD_ERROR_HANDLE = 2 ** 31;

/** What the old Pointsman tells the new one. */
export type ToSuccessor =
  | { readonly type: 'inheritance'; readonly inheritance: Inheritance }
  /** The old one accepts no more, and has closed its admin interface. */
  | { readonly type: 'take-over' };

/** What the new Pointsman tells the old one. */
export type FromSuccessor =
  /** It listens to messages. */
  | { readonly type: 'here' }
  /** All its workers accept connections. */
  | { readonly type: 'ready'; readonly version: string; readonly revision: number }
  /** It ends; `lines` for people. */
  | { readonly type: 'failed'; readonly lines: readonly string[] };
