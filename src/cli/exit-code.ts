/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** It was started rightly and failed: a port in use, an endpoint gone. */
  failure: 1,
  /** The command line or the configuration is wrong; nothing was started. */
  usage: 2,
  /** What was waited for had not come at the deadline. */
  deadline: 3,
} as const;
