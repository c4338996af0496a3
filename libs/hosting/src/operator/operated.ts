import type { AnchorStore } from '@valueverse/event-log';
import { type BetweenProcesses, Problem, type Service } from '@valueverse/platform';

export const OPERATED = Symbol('Operated');

/** What the operator's controllers of a process work on. */
export interface Operated {
  readonly services: readonly Service[];
  readonly anchors: AnchorStore;
  readonly shared: Pick<BetweenProcesses, 'isReachable'>;
}

/** The service that a path names. Refuses with 404 `service_not_found`. */
export const operatedService = ({ services }: Operated, name: string): Service => {
  const service = services.find((candidate) => candidate.name === name);
  if (service === undefined) throw new Problem(404, 'service_not_found', `this process has no service ${name}; it has ${services.map((candidate) => candidate.name).join(', ')}`);
  return service;
};
