import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { composeEnvironment, composeProfiles, composeUp } from './compose';

const text = readFileSync(join(__dirname, '..', '..', '..', '..', 'deploy', 'compose.yaml'), 'utf8');
const { services } = parse(text, { merge: true }) as { services: Record<string, { profiles?: string[]; container_name?: string }> };
const secrets = { masterKey: randomBytes(32), operatorToken: 'operator-token', serviceToken: 'service-token' };

test('npm run up gives the containers every variable that they cannot do without, and scales services that are there', () => {
  const required = [...text.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name!);
  expect(required.length).toBeGreaterThan(0);
  expect(Object.keys(composeEnvironment({ port: 8000, brokers: 1 }, secrets, 'password'))).toEqual(expect.arrayContaining(required));
  const scaled = composeUp(2).filter((word) => word.includes('='));
  expect(scaled).toEqual(['usage=2', 'billing=2', 'payments=2', 'notifications=2']);
  for (const name of scaled.map((word) => word.split('=')[0]!)) {
    expect(services[name]).toBeDefined();
    // A container with a name of its own, or with a port of the host, cannot be there twice.
    expect(services[name]).not.toHaveProperty('container_name');
    expect(services[name]).not.toHaveProperty('ports');
  }
});

test('three brokers are those of the profile, by their names', () => {
  const { KAFKA_BROKERS, KAFKA_REPLICATION } = composeEnvironment({ port: 8000, brokers: 3 }, secrets, 'password');
  expect(KAFKA_REPLICATION).toBe('3');
  const [profile] = composeProfiles(3);
  const named = KAFKA_BROKERS!.split(',').map((address) => address.split(':')[0]!);
  expect(named.every((name) => services[name] !== undefined)).toBe(true);
  expect(Object.keys(services).filter((name) => services[name]!.profiles?.includes(profile!)).every((name) => named.includes(name))).toBe(true);
  expect(composeProfiles(1)).toEqual([]);
});
