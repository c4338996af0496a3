import { SERVICES, type ServiceName } from '@valueverse/contracts';
import { until, Waited } from './until';
import { CENTS_PER_UNIT, FEE_CENTS, type Round, type Traffic } from './traffic';
import type { Json, StormClient } from './client';
import { wrongMoves } from './observer';
import { readModelFaults } from './rebuild';
import { feedFaults } from './replay';
import type { World } from './world';

/** Within this time after the last fault everything has to be where it belongs. */
const CONVERGE_TIMEOUT_MS = 60_000;
const PAGE = 100;
const FROM = '2026-01-01T00:00:00Z';
const TO = '2026-02-01T00:00:00Z';
const FAULTS_SHOWN = 5;

interface LogStatus { readonly unpublished: number; readonly parked: readonly Json[]; readonly readers: readonly { readonly consumer: string; readonly topic: string; readonly partition: number; readonly behind: number; readonly halted: string | null }[] }

const few = (what: string, faults: readonly string[]): string[] => (faults.length === 0 ? [] : [`${what}: ${faults.slice(0, FAULTS_SHOWN).join('; ')}${faults.length > FAULTS_SHOWN ? `; and ${faults.length - FAULTS_SHOWN} more` : ''}`]);

/** Waits until nothing is on its way any more. What stopped for good is a fault, and is not waited for. */
export const convergence = async (world: World, client: StormClient, rounds: readonly Round[]): Promise<string[]> => {
  const stopped = (service: string, { parked, readers }: LogStatus): string[] => [
    ...few(`${service} stopped reading`, readers.filter(({ halted }) => halted !== null).map(({ consumer, topic, partition, halted }) => `${consumer} ${topic}/${partition}: ${halted}`)),
    ...few(`${service} set streams aside`, parked.map((row) => JSON.stringify(row))),
  ];
  const faults: string[] = [];
  try {
    await until('every reader to be at the end and every clock to be ready', async () => {
      faults.length = 0;
      for (const service of SERVICES) {
        const status = await logOf(world, service);
        faults.push(...stopped(service, status));
        const behind = status.readers.filter(({ behind: records, halted }) => records > 0 && halted === null);
        if (status.unpublished > 0 || behind.length > 0) return `${service}: ${status.unpublished} facts to publish, ${behind.length} readers behind, first ${JSON.stringify(behind[0])}`;
      }
      if (faults.length > 0) return undefined;
      for (const { clockId } of rounds) {
        const { status, now, waitingFor } = await client.get(`/api/v1/billing/clocks/${clockId}`);
        if (status !== 'ready') return `clock ${clockId} stands at ${now} and waits for ${JSON.stringify(waitingFor)}`;
      }
      return undefined;
    }, CONVERGE_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof Waited)) throw error;
    faults.push(error.message);
  }
  return faults;
};

const logOf = async ({ url, operatorToken }: World, service: ServiceName): Promise<LogStatus> => {
  const response = await fetch(`${url}/api/v1/operator/log/${service}`, { headers: { authorization: `Bearer ${operatorToken}` } });
  if (!response.ok) throw new Error(`${service}: ${response.status} ${await response.text()}`);
  return await response.json() as LogStatus;
};

/** Compares what is there with what was acknowledged; answers what is wrong, in sentences. */
export const faultsOf = async (world: World, client: StormClient, traffic: Traffic): Promise<string[]> => [
  ...await usageFaults(client, traffic), ...await invoiceFaults(client, traffic.rounds), ...await bookFaults(client),
  ...(await Promise.all(SERVICES.map((service) => chainFaults(world, service)))).flat(),
  ...(await Promise.all(SERVICES.map((service) => streamFaults(world, service)))).flat(),
  ...(await Promise.all(SERVICES.map((service) => wrongMoves(world, service)))).flat(),
  ...await feedFaults(world), ...await readModelFaults(world),
];

const usageFaults = async (client: StormClient, { used }: Traffic): Promise<string[]> => {
  const { data } = await client.get(`/api/v1/usage/meters/calls/query?from=${FROM}&to=${TO}&groupBy=subject`);
  const counted = new Map((data as { subject: string; value: string }[]).map(({ subject, value }) => [subject, Number(value)]));
  return few('usage', [...used].filter(([subject, sum]) => counted.get(subject) !== sum).map(([subject, sum]) => `${subject}: ${sum} was acknowledged, ${counted.get(subject) ?? 0} is counted`));
};

/** Each month is two invoices: the fee at its start; its usage and the next fee at its end. */
const invoiceFaults = async (client: StormClient, rounds: readonly Round[]): Promise<string[]> => {
  const faults: string[] = [];
  for (const { accountId, subject, used } of rounds) {
    const { data } = await client.get(`/api/v1/billing/invoices?accountId=${accountId}&limit=${PAGE}`);
    const found = (data as Json[]).map(({ total, paymentStatus }) => `${total} ${paymentStatus}`).sort();
    const wanted = [FEE_CENTS, FEE_CENTS + used * CENTS_PER_UNIT].map((cents) => `${(cents / 100).toFixed(2)} paid`).sort();
    if (String(found) !== String(wanted)) faults.push(`${subject} has ${found.join(', ')} and should have ${wanted.join(', ')}`);
  }
  return few('invoices', faults);
};

/** The provider's own book against ours: one charge for each invoice, of its amount. */
const bookFaults = async (client: StormClient): Promise<string[]> => {
  const [invoices, book, payments] = await Promise.all(['/api/v1/billing/invoices', '/api/v1/payments/sandbox/book', '/api/v1/payments'].map((path) => all(client, path)));
  const sums = (amounts: readonly string[]): string => amounts.reduce((sum, amount) => sum + BigInt(amount.replace('.', '')), 0n).toString();
  const [billed, charged, collected] = [
    invoices!.filter(({ paymentStatus }) => paymentStatus === 'paid').map(({ total }) => total as string), book!.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount as string),
    payments!.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount as string),
  ];
  const faults: string[] = [];
  if (charged.length !== billed.length || sums(charged) !== sums(billed)) faults.push(`the provider charged ${charged.length} times ${sums(charged)} cents, ${billed.length} invoices of ${sums(billed)} cents are paid`);
  if (collected.length !== charged.length || sums(collected) !== sums(charged)) faults.push(`we collected ${collected.length} times ${sums(collected)} cents, the provider says ${charged.length} times ${sums(charged)}`);
  return few('the provider', faults);
};

const all = async (client: StormClient, path: string): Promise<Json[]> => {
  const rows: Json[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await client.get(`${path}?limit=${PAGE}${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    rows.push(...page.data as Json[]);
    cursor = (page.nextCursor ?? undefined) as string | undefined;
    if (cursor === undefined) return rows;
  }
};

const chainFaults = async ({ url, operatorToken }: World, service: ServiceName): Promise<string[]> => {
  const response = await fetch(`${url}/api/v1/operator/log/${service}/verify`, { method: 'POST', headers: { authorization: `Bearer ${operatorToken}` } });
  const { intact, faults } = await response.json() as { intact: boolean; faults: Json[] };
  return intact ? [] : few(`the chain of ${service}`, faults.map((fault) => JSON.stringify(fault)));
};

/** Each stream is exactly 1..n, and its versions follow the positions. */
const streamFaults = (world: World, service: ServiceName): Promise<string[]> => world.onPostgres(async (client) => {
  const table = `${client.escapeIdentifier(service)}.events`;
  const { rows } = await client.query<{ stream: string; detail: string }>(
    `SELECT stream, format('%s facts, versions %s to %s', count(*), min(version), max(version)) AS detail FROM `.concat(table, ` GROUP BY tenant, stream
     HAVING count(*) <> max(version) OR min(version) <> 1
     UNION ALL SELECT stream, 'version ' || version || ' is not in the order of positions' FROM (SELECT stream, version, lag(version) OVER (PARTITION BY tenant, stream ORDER BY partition, position) AS before FROM `, table, `) o WHERE version <> coalesce(before, 0) + 1`));
  return few(`the streams of ${service}`, rows.map(({ stream, detail }) => `${stream}: ${detail}`));
}, world.databaseUrl(service));

