import { derivedId, type Message, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS, USAGE_TOPIC, type StatementsRequested } from '@valueverse/contracts';
import { acceptedElsewhere } from '../ingress/behind';
import { partitionName, type Feed, type NewJob, type Reactor } from '@valueverse/event-log';
import { ingressText } from './ingress-floor';

export const ANSWER_JOB = 'usage.answer-statement';
export interface AnswerPayload { readonly requestIds: readonly string[] }

/** One job answers at most so many requests, from one snapshot. */
const REQUESTS_PER_JOB = 100;


/**
 * Takes the statement requests of billing: notes, once per request, where the feed ends for the partitions of its subjects. Everything that was accepted
 * before the request is below that floor, so the answer waits until metering has passed it; what clients have written to `usage.ingress` by then, and what was set aside, raises it later.
 */
export const statementRequests = (feed: Feed): Reactor => ({
  kind: 'reactor', name: 'statement-requests', topics: ['billing.statement-requests'],
  on: {
    StatementsRequested: async ({ chunkId, requests }: StatementsRequested & Message, fact, tx) => {
      const { tenant } = fact;
      const subjects = requests.map(({ usage }) => [...new Set(usage.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS)))]);
      const partitions = [...new Set(subjects.flat())];
      const ends = partitions.length === 0 ? new Map<string, bigint>() : await feed.ends(partitions.map((partition) => ({ topic: USAGE_TOPIC, partition })));
      const floors = subjects.map((own) => Object.fromEntries(own.map((partition) => [String(partition), String(ends.get(partitionName({ topic: USAGE_TOPIC, partition })) ?? 0n)])));
      const { rows } = await tx.query<{ request: string }>(
        `INSERT INTO usage_statement_requests (tenant, request, chunk, body, floor, at, clock, fact, correlation, traceparent, ingress)
         SELECT $1, request, $2, body, floor, $3, $4, $5, $6, $7, $11 FROM unnest($8::text[], $9::text[], $10::text[]) g(request, body, floor)
         ON CONFLICT DO NOTHING RETURNING request`,
        [tenant, chunkId, fact.at, fact.clockId ?? null, fact.id, fact.correlationId, fact.traceparent ?? null,
          requests.map(({ requestId }) => requestId), requests.map((request) => JSON.stringify(request)), floors.map((floor) => JSON.stringify(floor)), ingressText(await acceptedElsewhere(tx, feed))]);
      const fresh = rows.map(({ request }) => request).sort();
      const jobs: NewJob[] = [];
      for (let start = 0; start < fresh.length; start += REQUESTS_PER_JOB) jobs.push(answerJobFor(fact, fresh.slice(start, start + REQUESTS_PER_JOB), fact.at));
      return { jobs };
    },
  },
});

/** The job that answers these requests; the same requests make the same job. */
export const answerJobFor = ({ tenant, clockId }: Pick<NewJob, 'tenant' | 'clockId'>, requestIds: readonly string[], dueAt: string): NewJob => ({
  id: derivedId('job', ANSWER_JOB, tenant, ...requestIds), kind: ANSWER_JOB, tenant, clockId, dueAt, payload: { requestIds } satisfies AnswerPayload,
});
