import { readFile } from 'node:fs/promises';

import { type ConfigChange, formatChange } from '../config/diff.ts';
import { type ConfigIssue, formatIssue } from '../config/issue.ts';
import { isModule, loadYaml, type LoadResult } from '../config/load.ts';
import type { Config } from '../config/schema/config.ts';
import { writeEndpoints } from '../config/write-endpoints.ts';
import type { Control, ReloadResult, SaveResult } from '../model/control.ts';
import type { Log } from '../model/ports.ts';
import { announceListeners } from './announce.ts';
import { replaceFile } from './configuration-file.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RuntimeEndpoints } from './runtime-endpoints.ts';
import type { ServiceManager } from './service-manager.ts';

type Refusal = Extract<ReloadResult, { readonly outcome: 'refused' }>;

/** Changes that are named in the log; of more only the number. */
const MOST_NAMED = 8;

/** What reloads are made with. */
export interface ReloaderDeps {
  readonly plane: ControlPlane;
  readonly endpoints: RuntimeEndpoints;
  /** Told when a reload begins, and when something is in force again. */
  readonly service: Pick<ServiceManager, 'reloading' | 'ready'>;
  /** Reads the configuration again; undefined when it came from the command line. */
  readonly load: (() => Promise<LoadResult>) | undefined;
  /** Of the configuration; undefined as above. */
  readonly path: string | undefined;
  readonly log: Log;
  /** Told what a file said that is in force now. */
  readonly applied: (config: Config) => void;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function notSaved(message: string): SaveResult {
  return { outcome: 'refused', message };
}

/** Puts configurations into force, one after the other: a reload that is asked for during another comes after it. */
export class Reloader implements Control {
  readonly #deps: ReloaderDeps;
  /** The reload under way, or the last one. */
  #current: Promise<unknown> = Promise.resolve();
  /** The one that comes after it, for all who ask meanwhile. */
  #next: Promise<ReloadResult> | undefined = undefined;
  #stopped = false;
  #held: string | undefined = undefined;
  /** What the file said when it was put into force. */
  #file: Config;

  constructor(first: Config, deps: ReloaderDeps) {
    this.#file = first;
    this.#deps = deps;
  }

  /** Puts what is in force into force once more, with something in it renewed; a file that was edited since is not looked at. */
  renew(change: (config: Config) => Config): void {
    this.#current = this.#current.then(async () => {
      const renewed = change(this.#file);
      if (!this.#stopped && renewed !== this.#file) await this.#apply(renewed, []);
    });
    this.#current = this.#current.catch(() => {});
  }

  reload(): Promise<ReloadResult> {
    // One that has not begun yet will read what the file says now.
    if (this.#next !== undefined) return this.#next;
    const next = this.#current.then(() => {
      this.#next = undefined;
      return this.#reload();
    });
    this.#next = next;
    // A defect in one is no reason to refuse all that come after it.
    this.#current = next.catch(() => {});
    return next;
  }

  saveChanges(by: string): Promise<SaveResult> {
    const saved = this.#current.then(async (): Promise<SaveResult> => {
      try {
        return await this.#saveChanges(by);
      } catch (error) {
        return notSaved(error instanceof Error ? error.message : String(error));
      }
    });
    this.#current = saved;
    return saved;
  }

  async #saveChanges(by: string): Promise<SaveResult> {
    const { endpoints, path, log } = this.#deps;
    if (this.#stopped) return notSaved('Pointsman is shutting down');
    if (this.#held !== undefined) return notSaved(this.#held);
    if (path === undefined) return notSaved('the configuration came from the command line; there is no file');
    if (isModule(path)) return notSaved(`${path} is a program; write the changes there yourself`);
    const count = endpoints.changes().length;
    if (count === 0) return { outcome: 'saved', count, file: path };
    const text = await readFile(path, 'utf8');
    const file = loadYaml(text, path);
    if (!file.ok) return notSaved(`${path} has errors; mend it first: ${formatIssue(file.issues[0]!)}`);
    const { pools } = endpoints.overlay(file.config);
    const rewritten = writeEndpoints(text, file.config.pools, pools);
    if (!rewritten.ok) return notSaved(rewritten.message);
    await replaceFile(path, text, rewritten.text);
    log.info('runtime-changes-saved', { count, file: path, by });
    const reloaded = await this.#reload();
    return reloaded.outcome === 'applied'
      ? { outcome: 'saved', count, file: path }
      : notSaved(`the changes are in ${path}, but it could not be loaded: ${reloaded.message}`);
  }

  /** Every reload is refused for this reason; undefined: no longer. Resolves when the one under way is over. */
  async hold(reason: string | undefined): Promise<void> {
    this.#held = reason;
    await this.#current;
  }

  /** Every reload is refused from now on. */
  stop(): void {
    this.#stopped = true;
  }

  async #reload(): Promise<ReloadResult> {
    const { service } = this.#deps;
    service.reloading();
    const result = await this.#tryReload();
    // A refusal leaves what was in force: that is ready, too.
    const refused = result.outcome === 'refused' ? `, the last reload was refused: ${result.message}` : '';
    if (!this.#stopped) service.ready(`revision ${result.revision}${refused}`);
    return result;
  }

  async #tryReload(): Promise<ReloadResult> {
    const { load } = this.#deps;
    if (this.#stopped) return this.#refuse('stopping', 'Pointsman is shutting down');
    if (this.#held !== undefined) return this.#refuse('apply', this.#held);
    if (load === undefined)
      return this.#refuse(
        'no-file',
        'the configuration came from the command line; there is no file to read',
      );
    let result: LoadResult;
    try {
      result = await load();
    } catch (error) {
      return this.#refuse('config', error instanceof Error ? error.message : String(error));
    }
    if (this.#stopped) return this.#refuse('stopping', 'Pointsman is shutting down');
    if (!result.ok) {
      const { length } = result.issues;
      return this.#refuse(
        'config',
        `the configuration has ${length} problem${length === 1 ? '' : 's'}`,
        result.issues,
      );
    }
    return this.#apply(result.config, result.warnings);
  }

  async #apply(config: Config, warnings: readonly ConfigIssue[]): Promise<ReloadResult> {
    const { plane, endpoints } = this.#deps;
    let report;
    try {
      report = await plane.apply(endpoints.overlay(config));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return this.#refuse(this.#stopped ? 'stopping' : 'apply', message);
    }
    // What was changed at run time while addresses were bound.
    for (const pool of endpoints.overlay(config).pools) plane.updatePool(pool);
    endpoints.adopt(config);
    this.#file = config;
    this.#deps.applied(config);
    // "Reloaded" means that the next request meets it, whatever worker has it.
    await plane.settle();
    this.#note(report.revision, report.changes, warnings);
    return { outcome: 'applied', ...report, warnings };
  }

  #note(revision: number, changes: readonly ConfigChange[], warnings: readonly ConfigIssue[]): void {
    const { log, plane } = this.#deps;
    const made = changes.filter(({ restart }) => !restart);
    const settings = changes.filter(({ restart }) => restart).map(({ name }) => name);
    const opened = new Set(
      made
        .filter(({ object, change }) => object === 'listener' && (change === 'added' || change === 'moved'))
        .map(({ name }) => name),
    );
    for (const issue of warnings) log.warn('config-warning', { problem: formatIssue(issue) });
    announceListeners(
      log,
      plane.view.listeners().filter(({ name }) => opened.has(name)),
    );
    const named = made.slice(0, MOST_NAMED).map(formatChange);
    if (made.length > named.length) named.push(`... (${made.length})`);
    log.info('reloaded', {
      revision,
      changes: made.length,
      what: named.length === 0 ? undefined : named.join('; '),
    });
    if (settings.length > 0) log.warn('restart-needed', { settings: settings.join(',') });
  }

  #refuse(reason: Refusal['reason'], message: string, issues: readonly ConfigIssue[] = []): Refusal {
    const { log, plane } = this.#deps;
    for (const issue of issues) log.error('config-error', { problem: formatIssue(issue) });
    log.error('reload-refused', { reason, message: firstLine(message), revision: plane.revision });
    return { outcome: 'refused', reason, message: firstLine(message), revision: plane.revision, issues };
  }
}
