import type { Party } from './datagram-socket.ts';
import { readIp, readPort, sockaddr, writeAddress } from './linux/sockaddr.ts';

/** Words of the socket address in a party. */
const ADDRESS_WORDS = 7;

function toSockaddr(party: Party): void {
  for (let word = 0; word < ADDRESS_WORDS; word++) sockaddr.writeInt32LE(party[word]!, word * 4);
}

/** The IP address of a party; an IPv4 address that came over IPv6 is written as IPv4. */
export function partyIp(party: Party): string {
  toSockaddr(party);
  return readIp();
}

export function partyPort(party: Party): number {
  toSockaddr(party);
  return readPort();
}

/** Makes `party` that of an IP address and port, with nothing said of our own address. */
export function writeParty(party: Party, ip: string, port: number): void {
  party.fill(0);
  const length = writeAddress(ip, port)?.length ?? 0;
  for (let word = 0; word * 4 < length; word++) party[word] = sockaddr.readInt32LE(word * 4);
}
