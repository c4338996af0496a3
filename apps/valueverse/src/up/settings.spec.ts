import { resolve } from 'node:path';
import { SettingsFault } from '../edition/settings';
import { readUpSettings } from './settings';

test('flags are read, and what is wrong with them is said', () => {
  const read = (...argv: string[]) => readUpSettings(argv, ['--port', '--data', '--brokers', '--replicas', '--json']);
  expect(read()).toMatchObject({ port: 8000, data: resolve('.valueverse/up'), brokers: 1, replicas: 1, json: false });
  expect(read('--port=9', '--brokers', '3', '--replicas', '2', '--json', '--data', '/d')).toMatchObject({ port: 9, data: '/d', brokers: 3, replicas: 2, json: true });
  expect(() => read('--brokers', '2')).toThrow(/--brokers takes 1 or 3, not 2/);
  expect(() => read('--replicas', '0')).toThrow(SettingsFault);
  expect(() => read('--replicas', '9')).toThrow(/from 1 to 8/);
  expect(() => read('--port')).toThrow(/--port needs a value/);
  expect(() => read('--port', '--json')).toThrow(/--port needs a value/);
  expect(() => read('--purge')).toThrow(/--purge is not an option; there are --port/);
});
