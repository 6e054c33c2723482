import { available, AF, errno, fixed, MSG, SOCK, sys, systemError } from './linux/libc.ts';

/** `struct sockaddr_un`: a family, then the path. unix(7) */
const FAMILY_BYTES = 2;
const LONGEST_PATH = 107;

/**
 * Sends a message to a service manager that waits for one at a Unix socket, such as systemd (sd_notify(3)).
 * @param path As in NOTIFY_SOCKET: a file, or with `@` in front a name without one (abstract).
 * @throws an error with `code` when nobody takes it.
 */
export function sendNotice(path: string, text: string): void {
  if (!available) throw Object.assign(new Error('only on Linux'), { code: 'ENOTSUP' });
  const bytes = Buffer.from(path);
  if (bytes.length > LONGEST_PATH)
    throw Object.assign(new Error(`too long: ${path}`), { code: 'ENAMETOOLONG' });
  const address = fixed(FAMILY_BYTES + LONGEST_PATH + 1).fill(0);
  address.writeUInt16LE(AF.UNIX, 0);
  bytes.copy(address, FAMILY_BYTES);
  const abstract = path.startsWith('@');
  if (abstract) address[FAMILY_BYTES] = 0;
  const fd = sys.socket(AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', errno());
  try {
    // The name of an abstract one ends where its length says; a path has its end in it.
    if (sys.connect(fd, address, FAMILY_BYTES + bytes.length + (abstract ? 0 : 1)) < 0)
      throw systemError('connect', errno());
    const message = Buffer.from(text);
    if (sys.send(fd, message, message.length, MSG.NOSIGNAL | MSG.DONTWAIT) < 0)
      throw systemError('send', errno());
  } finally {
    sys.close(fd);
  }
}
