import { hash } from 'node:crypto';
import { Decimal, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS, type GroupQuantity, type StatementRequest } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { bucketOf, raggedEdges, wholeBuckets } from '../metering/domain/bucket';
import { groupsOf, measure, type MeterRule } from '../metering/domain/measure';
import { Tallies } from '../metering/domain/tallies';
import { visitEvents, type CountedEvent, type SubjectStretch, type UpTo } from '../query/copy-reader';
import { cellKey, evidenceText, quantitiesOf, stretchesOf } from './domain/evidence';

/** A request and the meter that it asks for. */
export interface Question { readonly request: StatementRequest; readonly rule: MeterRule }
export interface Answer {
  readonly quantities: readonly GroupQuantity[];
  readonly asOf: Readonly<Record<string, string>>;
  readonly evidence: string;
}

interface Span extends SubjectStretch { readonly question: number; readonly nth: number }

const spansOf = (questions: readonly Question[]): Span[] => questions.flatMap(({ request }, question) =>
  stretchesOf(request).map((stretch, nth) => ({ ...stretch, question, nth })));

const countEvent = (cells: Tallies, rule: MeterRule, span: number, { event, micros }: CountedEvent): void => {
  if (event.type !== rule.eventType) return;
  const value = measure(rule, event.data);
  if (value !== undefined) cells.add(cellKey({ span, bucket: bucketOf(micros), groups: groupsOf(rule, event.data) }), value, 1);
};

/** Adds the whole buckets inside the spans to the cells of their questions. */
const addBuckets = async (tx: Tx, tenant: string, questions: readonly Question[], spans: readonly Span[], cells: readonly Tallies[]): Promise<void> => {
  const inside = spans.map((span) => ({ span, whole: wholeBuckets(span) })).filter(({ whole }) => whole.from < whole.to);
  if (inside.length === 0) return;
  const rules = inside.map(({ span }) => questions[span.question]!.rule);
  const { rows } = await tx.query<{ place: bigint; bucket: bigint; groups: string; total: string; events: bigint }>(
    `SELECT g.place, b.bucket, b.groups, b.total::text AS total, b.events
     FROM unnest($2::text[], $3::int[], $4::text[], $5::bigint[], $6::bigint[]) WITH ORDINALITY g(meter, version, subject, first, until, place)
     JOIN usage_buckets b ON b.tenant = $1 AND b.meter = g.meter AND b.version = g.version AND b.subject = g.subject AND b.bucket >= g.first AND b.bucket < g.until`,
    [tenant, rules.map(({ key }) => key), rules.map(({ version }) => version), inside.map(({ span }) => span.subject),
      inside.map(({ whole }) => whole.from), inside.map(({ whole }) => whole.to)]);
  for (const row of rows) {
    const { span } = inside[Number(row.place) - 1]!;
    cells[span.question]!.add(cellKey({ span: span.nth, bucket: Number(row.bucket), groups: row.groups }), Decimal.parse(row.total), Number(row.events));
  }
};

/** Adds the events in stretches of the spans to the cells of their questions; answers envelopes that are no longer what they were. */
const addEvents = async (
  tx: Tx, tenant: string, questions: readonly Question[], pieces: readonly { span: Span; stretch: SubjectStretch }[], cells: readonly Tallies[], upTo?: UpTo,
): Promise<string[]> => visitEvents(tx, tenant, pieces.map(({ stretch }) => stretch), (index, event) => {
  const { question, nth } = pieces[index]!.span;
  countEvent(cells[question]!, questions[question]!.rule, nth, event);
}, upTo);

const partitionsOfSubjects = (tenant: string, { usage }: StatementRequest): number[] =>
  [...new Set(usage.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS)))].sort((a, b) => a - b);

const sha256 = (text: string): string => hash('sha256', text, 'hex');

/**
 * Answers questions of one tenant from the caller's snapshot: whole buckets inside their spans, raw envelopes at ragged edges. The answer is as of
 * the ends of metering's copy in that snapshot, so the transaction has to be REPEATABLE READ.
 */
export const answersTo = async (tx: Tx, tenant: string, questions: readonly Question[]): Promise<Answer[]> => {
  const spans = spansOf(questions);
  const cells = questions.map(() => new Tallies());
  await addBuckets(tx, tenant, questions, spans, cells);
  await addEvents(tx, tenant, questions, spans.flatMap((span) => raggedEdges(span).map((edge) => ({ span, stretch: { subject: span.subject, ...edge } }))), cells);
  const { rows } = await tx.query<{ partition: number; position: bigint; link: Buffer }>('SELECT partition, position, link FROM usage_partitions');
  const heads = new Map(rows.map((row) => [row.partition, row]));
  return questions.map(({ request, rule }, question) => {
    const own = partitionsOfSubjects(tenant, request).map((partition) => heads.get(partition)!);
    const asOf = Object.fromEntries(own.map(({ partition, position }) => [String(partition), String(position)]));
    const chain = Object.fromEntries(own.map(({ partition, link }) => [String(partition), link.toString('hex')]));
    const quantities = quantitiesOf(rule, cells[question]!, request.groupBy);
    return { quantities, asOf, evidence: sha256(evidenceText(request, quantities, cells[question]!, chain)) };
  });
};

/** The links of the chain at positions of the copy, as hex; of position 0 the empty one. */
const chainAt = async (tx: Tx, asOf: UpTo): Promise<Record<string, string>> => {
  const places = [...asOf];
  const { rows } = await tx.query<{ partition: number; link: Buffer }>(
    'SELECT e.partition, e.link FROM usage_envelopes e JOIN unnest($1::int[], $2::bigint[]) g(partition, position) ON e.partition = g.partition AND e.position = g.position',
    [places.map(([partition]) => partition), places.map(([, position]) => position)]);
  const links = new Map(rows.map(({ partition, link }) => [partition, link.toString('hex')]));
  return Object.fromEntries(places.map(([partition]) => [String(partition), links.get(partition) ?? '']));
};

/** Answers a question again from the envelopes alone, as of positions of the copy: what came later is not in it. Needs a role that sees every tenant's links. */
export const answerAgain = async (tx: Tx, tenant: string, question: Question, asOf: UpTo): Promise<Pick<Answer, 'quantities' | 'evidence'>> => {
  const cells = [new Tallies()];
  const broken = await addEvents(tx, tenant, [question], spansOf([question]).map((span) => ({ span, stretch: span })), cells, asOf);
  const quantities = quantitiesOf(question.rule, cells[0]!, question.request.groupBy);
  return { quantities, evidence: sha256(evidenceText(question.request, quantities, cells[0]!, await chainAt(tx, asOf), broken)) };
};
