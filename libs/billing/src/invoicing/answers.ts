import type { StatedUsage, StatementIssued } from '@valueverse/contracts';
import { textArray, type Fact, type NewJob, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import { finalizeJob } from './cycle-jobs';

/**
 * Keeps metering's answers for the invoices that asked for them. They come by partition, in any order: with the last one of an invoice it is issued, and states them in the order of the requests, so that its facts do not
 * depend on chance.
 */
export const takeStatements: Reactor = {
  kind: 'reactor', name: 'take-statements', topics: ['usage.statements'],
  on: { StatementIssued: async (_: StatementIssued, fact, tx) => (await takeAnswers([fact], tx))[0]! },
  together: (facts, tx) => takeAnswers(facts as readonly Fact<StatementIssued>[], tx),
};

interface RequestRow { readonly tenant: string; readonly invoice_id: string; readonly request_id: string; isAnswered: boolean }

/** All requests of the invoices are held: of two last answers that come at once, the second sees the first. */
const heldRequests = async (tx: Tx, facts: readonly Fact<StatementIssued>[]): Promise<RequestRow[]> => {
  const { rows } = await tx.query<{ tenant: string; invoice_id: string; request_id: string; is_answered: boolean }>(
    `SELECT r.tenant, r.invoice_id, r.request_id, r.answer IS NOT NULL AS is_answered FROM invoice_requests r WHERE (r.tenant, r.invoice_id) IN (
       SELECT a.tenant, a.invoice_id FROM unnest($1::text[], $2::text[]) f(tenant, request_id) JOIN invoice_requests a ON a.tenant = f.tenant AND a.request_id = f.request_id)
     ORDER BY r.tenant, r.invoice_id, r.nth FOR UPDATE`, [facts.map(({ tenant }) => tenant), facts.map(({ event }) => event.requestId)]);
  return rows.map(({ is_answered: isAnswered, ...row }) => ({ ...row, isAnswered }));
};

const takeAnswers = async (facts: readonly Fact<StatementIssued>[], tx: Tx): Promise<Reaction[]> => {
  const held = await heldRequests(tx, facts);
  const requests = new Map(held.map((row) => [`${row.tenant} ${row.request_id}`, row]));
  const open = new Map([...Map.groupBy(held, ({ tenant, invoice_id: id }) => `${tenant} ${id}`)].map(([name, own]) => [name, own.filter(({ isAnswered }) => !isAnswered).length]));
  const kept: { readonly row: RequestRow; readonly answer: StatedUsage }[] = [];
  const reactions = facts.map(({ event: { requestId, chargeKey, statementId, quantities, asOf, evidence, issuedAt }, tenant }): Reaction => {
    const row = requests.get(`${tenant} ${requestId}`);
    if (row === undefined || row.isAnswered) return {};
    row.isAnswered = true;
    kept.push({ row, answer: { requestId, chargeKey, statement: { statementId, quantities, asOf, evidence } } });
    const name = `${tenant} ${row.invoice_id}`;
    open.set(name, open.get(name)! - 1);
    const jobs: NewJob[] = open.get(name) === 0 ? [finalizeJob(tenant, row.invoice_id, issuedAt)] : [];
    return { jobs };
  });
  if (kept.length > 0) {
    await tx.query('UPDATE invoice_requests r SET answer = k.answer FROM unnest($1::text[], $2::text[], $3::text[]) k(tenant, request_id, answer) WHERE r.tenant = k.tenant AND r.request_id = k.request_id',
      [kept.map(({ row }) => row.tenant), kept.map(({ row }) => row.request_id), textArray(kept.map(({ answer }) => JSON.stringify(answer)))]);
  }
  return reactions;
};

/** What metering has answered of the requests of invoices, by invoice, each in the order of the requests. */
export const answersOf = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<ReadonlyMap<string, readonly StatedUsage[]>> => {
  if (invoiceIds.length === 0) return new Map();
  const { rows } = await tx.query<{ invoice_id: string; answer: string }>('SELECT invoice_id, answer FROM invoice_requests WHERE tenant = $1 AND invoice_id = ANY($2) AND answer IS NOT NULL ORDER BY invoice_id, nth', [tenant, invoiceIds]);
  const answers = rows.map(({ invoice_id: invoiceId, answer }) => {
    const { requestId, chargeKey, statement } = JSON.parse(answer) as StatedUsage;
    return { invoiceId, stated: { requestId, chargeKey, statement } };
  });
  return new Map([...Map.groupBy(answers, ({ invoiceId }) => invoiceId)].map(([invoiceId, own]) => [invoiceId, own.map(({ stated }) => stated)]));
};
