import { eventually } from '@valueverse/testing';
import { Loop } from './loop';

const LONG_MS = 3_600_000;

test('turns follow each other at once until one rests', async () => {
  let turns = 0;
  const loop = new Loop(async () => (++turns < 5 ? 0 : LONG_MS), () => LONG_MS);
  loop.start();
  await eventually('five turns', () => (turns === 5 ? true : undefined));
  await loop.stop();
  expect(turns).toBe(5);
});

test('a wake-up ends the rest, and one that comes during a turn is not lost', async () => {
  let turns = 0;
  let release: () => void = () => undefined;
  const loop = new Loop(async () => {
    turns += 1;
    if (turns === 1) await new Promise<void>((resolve) => { release = resolve; });
    return LONG_MS;
  }, () => LONG_MS);
  loop.start();
  loop.wake();
  release();
  await eventually('the turn after the wake-up', () => (turns === 2 ? true : undefined));
  loop.wake();
  await eventually('one more', () => (turns === 3 ? true : undefined));
  await loop.stop();
});

test('a turn that throws is reported, and the next one follows', async () => {
  const errors: unknown[] = [];
  let turns = 0;
  const loop = new Loop(async () => { if (++turns < 3) throw new Error(`turn ${turns}`); return LONG_MS; }, (error) => { errors.push(error); return 1; });
  loop.start();
  await eventually('the third turn', () => (turns === 3 ? true : undefined));
  await loop.stop();
  expect(errors).toHaveLength(2);
});

test('a stop waits for the turn that is under way, and none follows', async () => {
  let finished = false;
  let release: () => void = () => undefined;
  const loop = new Loop(async () => { await new Promise<void>((resolve) => { release = resolve; }); finished = true; return 0; }, () => 0);
  loop.start();
  const stopped = loop.stop();
  release();
  await stopped;
  expect(finished).toBe(true);
  expect(loop.isRunning).toBe(false);
});
