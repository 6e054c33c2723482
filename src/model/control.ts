import type { ConfigChange } from '../config/diff.ts';
import type { ConfigIssue } from '../config/issue.ts';

/** What became of a reload. Plain data: it is answered to the admin API and the command line as it is. */
export type ReloadResult =
  | {
      readonly outcome: 'applied';
      /** Of the snapshot that is now in force; the same as before when nothing had changed. */
      readonly revision: number;
      /** Everything that was different; those marked `restart` hold from the next start on. */
      readonly changes: readonly ConfigChange[];
      readonly warnings: readonly ConfigIssue[];
    }
  | {
      /** Nothing was changed. */
      readonly outcome: 'refused';
      /**
       * `config`: the file has errors, all in `issues`. `apply`: it could not be put into force, such as an address in use.
       * `no-file`: the configuration came from the command line. `stopping`: the process is shutting down.
       */
      readonly reason: 'config' | 'apply' | 'no-file' | 'stopping';
      /** For people, one line. */
      readonly message: string;
      /** Of the snapshot that stays in force. */
      readonly revision: number;
      readonly issues: readonly ConfigIssue[];
    };

/** What became of writing run-time changes into the configuration file. Plain data. */
export type SaveResult =
  | {
      readonly outcome: 'saved';
      /** Changes that are in the file now. */
      readonly count: number;
      readonly file: string;
    }
  | {
      /** The file is as it was, and the changes stand. */
      readonly outcome: 'refused';
      /** For people, one line. */
      readonly message: string;
    };

/** What became of an upgrade. Plain data. */
export type UpgradeResult =
  | {
      /** Another process carries the traffic now; this one finishes what it has. */
      readonly outcome: 'upgraded';
      readonly pid: number;
      readonly version: string;
      /** Of the snapshot that is in force there. */
      readonly revision: number;
    }
  | {
      /** Nothing was changed. */
      readonly outcome: 'refused';
      /**
       * `failed`: the new program could not take over, `message` and `log` say why. `busy`: another upgrade is under way. `unsupported`: this
       * process can never be replaced. `stopping`: it is shutting down.
       */
      readonly reason: 'failed' | 'busy' | 'unsupported' | 'stopping';
      /** For people, one line. */
      readonly message: string;
      /** What the new program had to say, if anything. */
      readonly log: readonly string[];
    };

/** Implemented by `supervisor/`: replaces the running program. */
export interface Upgrades {
  /**
   * Starts the program that is on disk now and hands everything over to it. Never rejects.
   * @param timeoutMs How long it may take until its workers accept; left out: half a minute.
   */
  upgrade(by: string, timeoutMs?: number): Promise<UpgradeResult>;
}

/** Implemented by `supervisor/`: what an operator may have changed while traffic flows. */
export interface Control {
  /** Reads the configuration again and puts it into force, or leaves everything as it is. Never rejects. */
  reload(): Promise<ReloadResult>;
  /** Writes what was changed at run time into the configuration file, and reloads it. Never rejects. */
  saveChanges(by: string): Promise<SaveResult>;
}
