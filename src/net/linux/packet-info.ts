import type { Party } from '../datagram-socket.ts';
import { AF, IP_PKTINFO, IPV6_PKTINFO, SOL } from './libc.ts';
import { CONTROL_WORDS, type MessageBatch, NAME_WORDS } from './message-batch.ts';

/** A control message: `struct cmsghdr` in 32-bit words (length, level, type), then what it holds. cmsg(3) */
const LEVEL_WORD = 2;
const TYPE_WORD = 3;
const DATA_WORD = 4;
const CMSG_HEAD_BYTES = 16;
/** `struct in_pktinfo`: interface, our address, address in the head of the packet. ip(7) */
const IN_PKTINFO_BYTES = 12;
/** `struct in6_pktinfo`: our address, interface. ipv6(7) */
const IN6_PKTINFO_BYTES = 20;

const INTERFACE = 7;
const LOCAL = 8;

/**
 * Who sent the message of that number, and to which of our addresses. `family`: of the socket. `wild`: it is bound to all addresses, so
 * that the kernel says which one it was.
 */
export function readParty(
  batch: MessageBatch,
  index: number,
  family: number,
  wild: boolean,
  party: Party,
): void {
  const { names, controls } = batch;
  const name = index * NAME_WORDS;
  const control = index * CONTROL_WORDS;
  party.fill(0);
  const words = family === AF.INET6 ? INTERFACE : 2;
  for (let word = 0; word < words; word++) party[word] = names[name + word]!;
  if (!wild || batch.controlLength(index) < CMSG_HEAD_BYTES) return;
  const type = controls[control + TYPE_WORD]!;
  const data = control + DATA_WORD;
  if (controls[control + LEVEL_WORD] === SOL.IP && type === IP_PKTINFO) {
    party[LOCAL] = controls[data + 1]!;
  } else if (controls[control + LEVEL_WORD] === SOL.IPV6 && type === IPV6_PKTINFO) {
    for (let word = 0; word < 4; word++) party[LOCAL + word] = controls[data + word]!;
    // fe80::/10, the first two bytes in the lower half of the word: such an address is one only together with its interface.
    if ((party[LOCAL]! & 0xc0ff) === 0x80fe) party[INTERFACE] = controls[data + 4]!;
  }
}

/** Says to whom the message of that number goes, and from which of our addresses. */
export function writeParty(
  batch: MessageBatch,
  index: number,
  family: number,
  wild: boolean,
  party: Party,
): void {
  const { names, controls } = batch;
  const name = index * NAME_WORDS;
  for (let word = 0; word < INTERFACE; word++) names[name + word] = party[word]!;
  const inet6 = family === AF.INET6;
  const nameBytes = inet6 ? 28 : 16;
  if (!wild) {
    batch.setLengths(index, nameBytes, 0);
    return;
  }
  const control = index * CONTROL_WORDS;
  const data = control + DATA_WORD;
  const dataBytes = inet6 ? IN6_PKTINFO_BYTES : IN_PKTINFO_BYTES;
  controls[control] = CMSG_HEAD_BYTES + dataBytes;
  controls[control + 1] = 0;
  controls[control + LEVEL_WORD] = inet6 ? SOL.IPV6 : SOL.IP;
  controls[control + TYPE_WORD] = inet6 ? IPV6_PKTINFO : IP_PKTINFO;
  if (inet6) {
    for (let word = 0; word < 4; word++) controls[data + word] = party[LOCAL + word]!;
    controls[data + 4] = party[INTERFACE]!;
  } else {
    controls[data] = 0;
    controls[data + 1] = party[LOCAL]!;
    controls[data + 2] = 0;
  }
  // Aligned to 8 bytes, as CMSG_SPACE has it.
  batch.setLengths(index, nameBytes, (CMSG_HEAD_BYTES + dataBytes + 7) & ~7);
}
