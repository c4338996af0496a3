import type { FaultMix } from '../faults';

/** A bug that is planted in the services of a storm by a module that they load first, and a storm that finds it. */
export interface Planted {
  readonly name: string;
  readonly module: string;
  readonly seed: number;
  readonly seconds: number;
  readonly faultsMin: number;
  readonly mix: FaultMix;
  readonly load: { readonly senders: number; readonly rounds: number };
}

export const PLANTED: readonly Planted[] = [
  { name: 'several partitions in one request', module: 'append-rule-off', seed: 1, seconds: 30, faultsMin: 5, mix: { 'broker-kill': 1 }, load: { senders: 6, rounds: 2 } },
  { name: 'checkpoints that anybody moves', module: 'fence-off', seed: 1, seconds: 60, faultsMin: 8, mix: { 'service-asleep': 1 }, load: { senders: 6, rounds: 1 } },
  { name: 'no dedupe of usage', module: 'dedupe-off', seed: 1, seconds: 5, faultsMin: 1, mix: { cut: 1 }, load: { senders: 3, rounds: 1 } },
];
