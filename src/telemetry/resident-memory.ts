let lastBytes = 0;

/**
 * Memory of this process that is resident. Reading it takes a descriptor: when none is left, what was read last, as a process that is
 * out of descriptors has to go on.
 */
export function residentBytes(): number {
  try {
    lastBytes = process.memoryUsage.rss();
  } catch {
    // The runtime could not open /proc/self/statm.
  }
  return lastBytes;
}
