import { type Address, formatAddress } from '../config/address.ts';

/** What to do about the errors that everybody meets. */
function hint(code: string): string {
  if (code === 'EADDRINUSE') return ' (another program listens there)';
  if (code === 'EACCES') return ' (ports below 1024 need root or CAP_NET_BIND_SERVICE)';
  return code === 'EADDRNOTAVAIL' ? ' (this machine does not have the address)' : '';
}

/** Why a listener cannot have its address, with the code of the system and what to do about it. */
export function cannotListen(listener: string, address: Address, cause: unknown): Error {
  const code =
    cause !== null && typeof cause === 'object' && 'code' in cause ? String(cause.code) : String(cause);
  const message = `listener ${listener}: cannot listen on ${formatAddress(address)}: ${code}${hint(code)}`;
  return new Error(message, { cause });
}
