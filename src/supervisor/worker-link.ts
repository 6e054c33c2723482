/** What was said between the supervisor and one worker process. */
export class WorkerLink {
  /** Sockets that it was given. */
  readonly given = new Set<number>();
  /** The snapshot that it has prepared last; 0 for none. */
  prepared = 0;
  /** Reports that it was asked for, and that came. */
  asked = 0;
  received = 0;
  /** Those of them that should be there at the next look; somebody may have asked again a moment ago. */
  due = 0;
  /** Looks in a row at which a report was missing. */
  missed = 0;
  /** It was said in the log that it does not answer. */
  warned = false;
}
