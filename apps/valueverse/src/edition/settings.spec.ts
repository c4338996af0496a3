import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DataFolder } from './data-folder';
import { readSettings, SettingsFault } from './settings';

test('flags win over variables, variables over defaults', () => {
  expect(readSettings([], {})).toMatchObject({ VV_PORT: 8000, VV_DATA: resolve('.valueverse'), VV_JSON: false });
  expect(readSettings([], { VV_PORT: '9000', VV_DATA: '/d' })).toMatchObject({ VV_PORT: 9000, VV_DATA: '/d' });
  expect(readSettings(['--port', '9001', '--data=/e', '--json'], { VV_PORT: '9000', VV_DATA: '/d' })).toMatchObject({ VV_PORT: 9001, VV_DATA: '/e', VV_JSON: true });
});

test('every fault is said at once, and an unknown option is named', () => {
  expect(() => readSettings([], { VV_PORT: 'x', LOG_LEVEL: 'loud' })).toThrow(/VV_PORT[^]*LOG_LEVEL/);
  expect(() => readSettings(['--prot', '1'], {})).toThrow(SettingsFault);
  expect(() => readSettings(['--port'], {})).toThrow(/--port needs a value/);
});

test('secrets are made once and only their owner reads them', () => {
  const path = mkdtempSync(join(tmpdir(), 'vv-folder-'));
  const folder = new DataFolder(path);
  folder.prepare();
  const made = folder.secrets();
  expect(new DataFolder(path).secrets()).toEqual(made);
  expect(made.masterKey).toHaveLength(32);
  expect(statSync(join(path, 'secrets.json')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(path, 'secrets.json'), 'utf8')).toContain(made.operatorToken);
  rmSync(path, { recursive: true });
});
