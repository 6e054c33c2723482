import { dlopen, FFIType, toArrayBuffer } from 'bun:ffi';
import { getSystemErrorName } from 'node:util';

const { i32, i64, ptr: pointer } = FFIType;

/** The system calls that sockets need, called without anything in between. Manual pages: section 2. */
function load() {
  return dlopen('libc.so.6', {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, pointer, i32], returns: i32 },
    listen: { args: [i32, i32], returns: i32 },
    accept4: { args: [i32, pointer, pointer, i32], returns: i32 },
    connect: { args: [i32, pointer, i32], returns: i32 },
    getsockname: { args: [i32, pointer, pointer], returns: i32 },
    getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
    setsockopt: { args: [i32, i32, i32, pointer, i32], returns: i32 },
    recv: { args: [i32, pointer, i32, i32], returns: i32 },
    send: { args: [i32, pointer, i32, i32], returns: i32 },
    recvmmsg: { args: [i32, pointer, i32, i32, pointer], returns: i32 },
    sendmmsg: { args: [i32, pointer, i32, i32], returns: i32 },
    shutdown: { args: [i32, i32], returns: i32 },
    socketpair: { args: [i32, i32, i32, pointer], returns: i32 },
    sendmsg: { args: [i32, pointer, i32], returns: i32 },
    recvmsg: { args: [i32, pointer, i32], returns: i32 },
    close: { args: [i32], returns: i32 },
    dup2: { args: [i32, i32], returns: i32 },
    fcntl: { args: [i32, i32, i32], returns: i32 },
    epoll_create1: { args: [i32], returns: i32 },
    epoll_ctl: { args: [i32, i32, i32, pointer], returns: i32 },
    usleep: { args: [i32], returns: i32 },
    epoll_wait: { args: [i32, pointer, i32, i32], returns: i32 },
    clock_gettime: { args: [i32, pointer], returns: i32 },
    pipe2: { args: [pointer, i32], returns: i32 },
    read: { args: [i32, pointer, i32], returns: i32 },
    write: { args: [i32, pointer, i32], returns: i32 },
    fallocate: { args: [i32, i32, i64, i64], returns: i32 },
    memfd_create: { args: [pointer, i32], returns: i32 },
    __errno_location: { args: [], returns: pointer },
  }).symbols;
}

type Libc = ReturnType<typeof load>;

function loadOrNone(): Libc | undefined {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  try {
    return load();
  } catch {
    // Another C library (musl): the sockets of the runtime do.
    return undefined;
  }
}

const libc = loadOrNone();

/** Whether this machine can do it: Linux with glibc on x86-64 or arm64. */
export const available: boolean = libc !== undefined;

/** The calls; only where `available`. */
export const sys = libc as Libc;

const errnoCell: Int32Array =
  libc === undefined ? new Int32Array(1) : new Int32Array(toArrayBuffer(libc.__errno_location()!, 0, 4));

/** Error number of the last call that failed. To be read at once. */
export function errno(): number {
  return errnoCell[0]!;
}

/** Symbolic name of an error number, such as `EADDRINUSE`. */
export function errorName(number: number): string {
  return getSystemErrorName(-number);
}

/** An error as the runtime would throw it: `code` is the symbolic name. */
export function systemError(call: string, number: number): Error & { code: string } {
  const code = errorName(number);
  return Object.assign(new Error(`${call}: ${code}`), { code });
}

/**
 * Memory that the kernel reads or writes; never freed, so made once. It is passed to calls as it is, never as a number: by an
 * address alone the optimiser does not know that a call reads what was stored there just before, and may store it later.
 */
export function fixed(sizeBytes: number): Buffer {
  // Not from the pool, and large enough to have memory of its own, which the collector does not move.
  return Buffer.allocUnsafeSlow(Math.max(sizeBytes, 4096));
}

export const E = {
  PERM: 1,
  AGAIN: 11,
  ACCES: 13,
  PROTO: 71,
  NETUNREACH: 101,
  CONNREFUSED: 111,
  HOSTUNREACH: 113,
  INTR: 4,
  INPROGRESS: 115,
  MFILE: 24,
  NFILE: 23,
  CONNRESET: 104,
  PIPE: 32,
} as const;
export const EPOLL = {
  IN: 1,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  RDHUP: 0x2000,
  /** Edge-triggered: an event is news, and comes once. */
  ET: -0x80000000,
  ADD: 1,
  DEL: 2,
  MOD: 3,
  CLOEXEC: 0o2000000,
} as const;
export const SOCK = { STREAM: 1, DGRAM: 2, SEQPACKET: 5, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;
export const AF = { UNIX: 1, INET: 2, INET6: 10 } as const;
export const SOL = { SOCKET: 1, IP: 0, TCP: 6, IPV6: 41 } as const;
export const SO = {
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  LINGER: 13,
  REUSEPORT: 15,
  ACCEPTCONN: 30,
} as const;
/** fcntl(2): flags of the descriptor, and of the open file. */
export const F = { SETFD: 2, SETFL: 4, DUPFD_CLOEXEC: 1030 } as const;
export const FD_CLOEXEC = 1;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const IPV6_V6ONLY = 26;
/** Ask for the address that a datagram was sent to, and say from which one an answer leaves: ip(7), ipv6(7). */
export const IP_PKTINFO = 8;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const MSG = {
  PEEK: 0x2,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  CMSG_CLOEXEC: 0x40000000,
} as const;
export const SCM_RIGHTS = 1;
export const SHUT_WR = 1;
