let report: (error: unknown) => void = (error) => {
  throw error;
};

/** Who is told when our own code throws while it serves a connection: that connection is reset, the others live on. */
export function onDefect(tell: (error: unknown) => void): void {
  report = tell;
}

export function reportDefect(error: unknown): void {
  report(error);
}
