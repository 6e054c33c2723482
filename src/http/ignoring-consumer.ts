import type { RequestConsumer } from './streams.ts';

/** Stands where nobody is served any more: whatever still happens to the request concerns nobody. */
export const ignoring: RequestConsumer = {
  onRequestBody() {},
  onRequestEnd() {},
  onRequestFailed() {},
  onClientCongested() {},
  onClientDrain() {},
  onClientEnd() {},
  onCut() {},
};
