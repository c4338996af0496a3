import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findKafka, freePort, isAlive, startMark, scratchFolder } from '@valueverse/platform';
import { noteNotRun } from '@valueverse/testing';
import { jsonOf, run, type Running } from './process.spec-kit';

const UP = 'apps/valueverse/dist/up/main.js';
const DOWN = 'apps/valueverse/dist/up/down.js';
const STATUS = 'apps/valueverse/dist/up/status.js';
const DEMO = 'apps/valueverse/dist/demo/main.js';

export interface PartNote { readonly name: string; readonly pid: number; readonly since: string; readonly restarts: number; readonly url?: string; readonly log: string }
export interface UpState { readonly url: string; readonly supervisor: { pid: number; since: string }; readonly parts: readonly PartNote[] }
export interface UpReady { readonly url: string; readonly secretKey: string }
export interface Status { readonly up: boolean; readonly parts: readonly { name: string; state: string; restarts: number }[] }

/** Scenarios of `npm run up` on local parts. Where no broker can be had from Java one test takes their place that says so. */
export const describeUp = (name: string, specs: () => void): void => {
  const found = findKafka();
  describe(name, () => {
    if (found.how === 'java') specs();
    else test('is not run on this machine', () => noteNotRun(name, found.how === 'none' ? found.reason : `local brokers are asked for, and Kafka is ${found.how} here`));
  });
};

/** The distributed edition as `npm run up` starts it, in a data folder that goes with it. */
export class Up {
  readonly folder = scratchFolder('up');
  readonly data = join(this.folder, 'data');
  port = 0;

  async up(...flags: readonly string[]): Promise<UpReady> {
    const process_ = await this.tryUp(...flags);
    if (process_.child.exitCode !== 0) throw new Error(`up ended with ${process_.child.exitCode}:\n${process_.output()}\n${this.log('supervisor')}`);
    return jsonOf<UpReady>(process_);
  }
  async tryUp(...flags: readonly string[]): Promise<Running> {
    if (this.port === 0) this.port = await freePort();
    return this.finished(run(UP, ['--local', '--json', '--port', String(this.port), '--data', this.data, ...flags]));
  }
  async down(...flags: readonly string[]): Promise<{ ended: string[]; purged: boolean }> { return jsonOf(await this.finished(run(DOWN, ['--json', '--data', this.data, ...flags]))); }
  async status(): Promise<Status> { return jsonOf(await this.finished(run(STATUS, ['--json', '--data', this.data]))); }
  async demo(url: string): Promise<unknown> {
    const demo = await this.finished(run(DEMO, ['--url', url, '--json'], { VV_OPERATOR_TOKEN: this.operatorToken() }));
    if (demo.child.exitCode !== 0) throw new Error(demo.output());
    return jsonOf(demo);
  }

  state(): UpState { return JSON.parse(readFileSync(join(this.data, 'state.json'), 'utf8')) as UpState; }
  part(name: string): PartNote { return this.state().parts.find((part) => part.name === name)!; }
  operatorToken(): string { return (JSON.parse(readFileSync(join(this.data, 'secrets.json'), 'utf8')) as { operatorToken: string }).operatorToken; }
  log(name: string): string { return readFileSync(join(this.data, 'logs', `${name}.log`), 'utf8'); }
  /** The processes that run now, by their marks. */
  everything(): { name: string; pid: number; since: string }[] { const { supervisor, parts } = this.state(); return [{ name: 'supervisor', ...supervisor }, ...parts]; }
  static living(marks: readonly { name: string; pid: number; since: string }[]): string[] { return marks.filter(({ pid, since }) => isAlive(pid) && startMark(pid) === since).map(({ name }) => name); }

  async remove(): Promise<void> {
    await this.down('--purge');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async finished(process_: Running): Promise<Running> { await process_.ended; return process_; }
}
