import type { EventDefinition } from '@valueverse/contracts';
import type { AnyReadModel, Consumer } from '@valueverse/event-log';
import type { JobHandler } from '../jobs/job';
import type { FactMeasure } from '../metrics/fact-measures';
import type { Migration } from '../persistence/migrate';

/** What a context's code needs from the log before it can be made: its facts, its tables, its rows. */
export interface ContextShape {
  readonly name: string;
  /** Every event that the context appends or reads. */
  readonly definitions: readonly EventDefinition[];
  /** Rows that belong to one stream and are written with its facts. */
  readonly readModels: readonly AnyReadModel[];
  /** The schema of those rows, where it is not the service's own. */
  readonly readModelSchema?: string;
  /** Numbered from 100; below are the steps that every service has. */
  readonly migrations: readonly Migration[];
  /** Schemas beside the service's own. */
  readonly schemas?: readonly string[];
}

/** Something that is at work from the start of its service to its end: a socket, a look at what was left behind. */
export interface Worker {
  start(): void;
  /** Also of one that was never started. */
  stop(): Promise<void>;
}

/** What a look at a context has found. `next` names the command, or what to do, where something is wrong. */
export interface LookResult { readonly ok: boolean; readonly detail: string; readonly next?: string }

/** What a context does once it has been made for a service. */
export interface ContextParts {
  readonly consumers: readonly Consumer[];
  readonly jobs: readonly JobHandler[];
  /** What runs beside consumers and jobs. */
  readonly workers?: readonly Worker[];
  /** Counters that move with its facts. */
  readonly measures?: readonly FactMeasure[];
  /** What the doctor looks at in it, by name. */
  readonly looks?: Readonly<Record<string, () => Promise<LookResult>>>;
}
