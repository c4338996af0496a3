import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DCLinter } from 'dclint';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { SERVICES, type ServiceName } from '@valueverse/contracts';
import { serviceConfig, SERVICE_PORTS } from '@valueverse/hosting';
import { readConfig, type ConfigSchema } from '@valueverse/platform';
import { gatewayConfig } from './gateway/settings';

interface Container {
  image?: string; command?: string[]; environment?: Record<string, string>; ports?: string[]; volumes?: string[]; profiles?: string[]; healthcheck?: object;
  depends_on?: Record<string, { condition: string }>; build?: { context: string; dockerfile: string; target: string };
}
const ROOT = join(__dirname, '..', '..', '..');
const DEPLOY = join(ROOT, 'deploy');
const textOf = (name: string): string => readFileSync(join(DEPLOY, name), 'utf8');
const compose = parse(textOf('compose.yaml'), { merge: true }) as { services: Record<string, Container>; volumes: Record<string, unknown> };
const containers = Object.entries(compose.services);
const ours = containers.filter(([, { image }]) => image?.startsWith('valueverse'));
const dockerfile = textOf('Dockerfile');

/** What a person has to give, as `.env.example` asks for it. */
const GIVEN: Readonly<Record<string, string>> = { VV_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'), VV_OPERATOR_TOKEN: 'a'.repeat(48), VV_SERVICE_TOKEN: 'b'.repeat(48), POSTGRES_PASSWORD: 'c'.repeat(48) };
/** Fills in variables as Compose does. */
const filled = (text: string): string => text.replace(/\$\{([A-Z_]+)(?::?-([^}]*)|:\?[^}]*)?\}/g, (_, name: string, otherwise?: string) => GIVEN[name] ?? otherwise ?? '');
const environmentOf = ({ environment = {} }: Container): Record<string, string> => Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(String(value))]));

const schemaOf = (container: Container): ConfigSchema => {
  const name = container.command![0]!;
  return name === 'gateway' ? gatewayConfig : serviceConfig(name as ServiceName, SERVICE_PORTS[name as ServiceName]);
};

test('the compose file holds what its linter asks for', () => {
  // Services stand in the order in which one reads them, not in that of the alphabet.
  const order = ['services-alphabetical-order', 'service-keys-order', 'top-level-properties-order', 'service-dependencies-alphabetical-order'];
  const linter = new DCLinter({ rules: { ...Object.fromEntries(order.map((name) => [name, 0])), 'require-quotes-in-ports': [1, { quoteType: 'double' }] }, quiet: false, debug: false, exclude: [] } as never);
  const results = linter.lintFiles([join(DEPLOY, 'compose.yaml')], false) as { messages: { rule: string; line: number; message: string }[] }[];
  expect(results).toHaveLength(1);
  expect(results[0]!.messages.map(({ rule, line, message }) => `${line} ${rule}: ${message}`)).toEqual([]);
});

test('the Dockerfile holds what its linter asks for, and its last word on who runs is not root', () => {
  expect(validate(dockerfile).map(({ message, range }) => `${range.start.line}: ${message}`)).toEqual([]);
  const stages = [...dockerfile.matchAll(/^FROM (\S+) AS (\S+)$/gm)].map(([, from, name]) => ({ from: from!, name: name! }));
  expect(stages.map(({ name }) => name)).toEqual(['build', 'runtime', 'migrations']);
  for (const [, from] of dockerfile.matchAll(/--from=(\S+)/g)) expect(stages.map(({ name }) => name)).toContain(from);
  const runtime = dockerfile.slice(dockerfile.indexOf('AS runtime'), dockerfile.indexOf('AS migrations'));
  expect([...runtime.matchAll(/^USER (\S+)$/gm)].map(([, user]) => user)).toEqual(['1000:1000']);
  expect(stages[2]!.from).toBe('runtime');
});

test.each(ours.map(([name, container]) => [name, container] as const))('every variable of %s is a setting, and with the secrets given it starts', (_, container) => {
  const schema = schemaOf(container);
  const environment = environmentOf(container);
  expect(Object.keys(environment).filter((name) => !(name in schema) && !name.startsWith('OTEL_'))).toEqual([]);
  expect(readConfig(schema, environment)).not.toHaveProperty('faults');
});

test('the entry of the image starts what it is told, with its settings or the names of those that are missing', () => {
  const start = (words: string[], env: Record<string, string>): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [join(DEPLOY, 'start.cjs'), ...words], { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } });
  const { status, stderr } = start(['usage', '--check'], {});
  expect([status, stderr]).toEqual([1, expect.stringMatching(/DATABASE_URL[^]*VV_MASTER_KEY/)]);
  expect(start(['vv', '--help'], {})).toMatchObject({ status: 0, stdout: expect.stringContaining('doctor') as string });
  const checked = start(['--check', 'billing'], environmentOf(compose.services['billing']!));
  expect([checked.status, checked.stdout]).toEqual([0, expect.stringContaining('USAGE_URL=http://usage:8001')]);
});

test('the image knows what it can start, and says so', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(DEPLOY, 'start.cjs'), 'ledger'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringContaining('usage, billing, payments, notifications, gateway, vv')]);
  for (const [main] of textOf('start.cjs').matchAll(/apps\/[\w/-]+\.js/g)) expect(existsSync(join(ROOT, main))).toBe(true);
});

test('no secret has a value, and what is missing stops the start', () => {
  const secret = /(KEY|TOKEN|PASSWORD)$/;
  const values = containers.flatMap(([name, { environment = {} }]) => Object.entries(environment).filter(([variable]) => secret.test(variable)).map(([variable, value]) => [`${name} ${variable}`, value] as const));
  expect(values.length).toBeGreaterThan(3);
  expect(values.filter(([, value]) => !/^\$\{[A-Z_]+:\?[^}]+\}$/.test(value))).toEqual([]);
  const asked = new Set(Object.keys(Object.fromEntries([...textOf('.env.example').matchAll(/^([A-Z_]+)=$/gm)].map(([, name]) => [name, '']))));
  expect(asked).toEqual(new Set(Object.keys(GIVEN)));
  for (const name of Object.keys(GIVEN)) expect(textOf('compose.yaml')).toContain(`\${${name}:?`);
});

test('images are pinned, ports are on loopback, and each container says whether it is well', () => {
  expect(containers.filter(([, { image }]) => !/:v?\d+\.\d+(\.\d+)?([-\w]*)$|^valueverse(-migrations)?:local$/.test(image ?? '')).map(([name]) => name)).toEqual([]);
  expect([...dockerfile.matchAll(/^FROM (\S+:\S+)/gm)].filter(([, image]) => !/:\d+\.\d+\.\d+/.test(image!))).toEqual([]);
  expect(containers.flatMap(([, { ports = [] }]) => ports).filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  expect(containers.filter(([name, { healthcheck }]) => healthcheck === undefined && !name.startsWith('migrate-')).map(([name]) => name)).toEqual([]);
});

test('what is named is there: files, volumes, targets, and the containers that others wait for', () => {
  const stages = [...dockerfile.matchAll(/ AS (\S+)$/gm)].map(([, name]) => name);
  const mounts = containers.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!));
  expect(mounts.filter((mount) => (mount.startsWith('.') ? !existsSync(join(DEPLOY, mount)) : !(mount in compose.volumes)))).toEqual([]);
  expect(Object.keys(compose.volumes).filter((name) => !mounts.includes(name))).toEqual([]);
  for (const [, { build, depends_on: others = {} }] of containers) {
    for (const [other, { condition }] of Object.entries(others)) {
      expect(compose.services).toHaveProperty(other);
      if (condition === 'service_healthy') expect(compose.services[other]).toHaveProperty('healthcheck');
    }
    if (build !== undefined) expect([existsSync(join(DEPLOY, build.context, build.dockerfile)), stages.includes(build.target)]).toEqual([true, true]);
  }
});

test('every service is scraped where it listens, and nothing else of ours is named', () => {
  const { scrape_configs: jobs } = parse(textOf('prometheus.yml')) as { scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[] };
  const targets = jobs.find(({ job_name: name }) => name === 'valueverse')!.static_configs.flatMap(({ targets: own }) => own);
  expect(targets).toEqual(SERVICES.map((name) => `${name}:${environmentOf(compose.services[name]!)['PORT']}`));
});

test('databases are made for the services that ask for them', () => {
  const made = /for name in ([^;]+);/.exec(textOf('postgres/create-databases.sh'))![1]!.split(' ');
  expect(made).toEqual(ours.filter(([name]) => (SERVICES as readonly string[]).includes(name)).map(([, container]) => new URL(environmentOf(container)['DATABASE_URL']!).pathname.slice(1)));
});
