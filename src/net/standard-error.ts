import { errno, sys, systemError } from './linux/libc.ts';

/** What this process writes on its standard error goes to another descriptor from now on, which it owns and closes. */
export function redirectStandardError(fd: number): void {
  if (sys.dup2(fd, process.stderr.fd) < 0) throw systemError('dup2', errno());
  sys.close(fd);
}
