import { hash } from 'node:crypto';
import { instantFromMicros, partitionOf, Refused } from '@valueverse/kernel';
import { USAGE_PARTITIONS, type GroupQuantity, type StatementRequest } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { Fold } from '../metering/domain/aggregations';
import { bucketOf, raggedEdges, wholeBuckets } from '../metering/domain/bucket';
import { tieOf } from '../metering/domain/deltas';
import type { MeterRule } from '../metering/domain/measure';
import { Tallies } from '../metering/domain/tallies';
import { readCells, type SeriesStretch } from '../metering/stored-buckets';
import { countedBy, visitEvents, type CountedEvent, type Reading, type SubjectStretch, type UpTo } from '../query/copy-reader';
import { BEGINNING } from '../query/domain/windows';
import { droppedIn, missedIn } from '../retention/missed';
import { priceEvents, type PricedGroups, withPrices } from './event-prices';
import { CARRIED, cellKey, evidenceText, quantitiesOf, type Span, spansOf } from './domain/evidence';

/** A request and the rules of the meter that it asks for, one of each version in order; the last one says how quantities are made. */
export interface Question { readonly request: StatementRequest; readonly rules: readonly MeterRule[] }
export interface Answer {
  readonly quantities: readonly GroupQuantity[];
  readonly asOf: Readonly<Record<string, string>>;
  readonly evidence: string;
}

/** A question on its way to its answer. */
export interface Work { readonly question: Question; readonly rule: MeterRule; readonly spans: readonly Span[]; readonly cells: Tallies }
/** A part of a span, or of what is carried into it. */
export interface Piece extends SubjectStretch { readonly work: Work; readonly span: number; readonly isCarried: boolean }

export const workOf = (question: Question): Work => {
  const rule = question.rules.at(-1)!;
  return { question, rule, spans: spansOf(question.request, rule, BEGINNING), cells: new Tallies(rule) };
};
export const piecesOf = (work: Work): Piece[] => work.spans.flatMap(({ subject, from, to, reach }, span) => [
  { work, span, subject, from, to, isCarried: false }, ...(reach === undefined ? [] : [{ work, span, subject, from: reach, to: from, isCarried: true }])]);

const countEvent = ({ work: { question, rule, cells }, span, isCarried }: Piece, counted: CountedEvent): void => {
  const { event, micros } = counted;
  const found = countedBy(question.rules, counted);
  if (found === undefined) return;
  const bucket = isCarried ? CARRIED : bucketOf(micros, rule.settings.bucketMicros);
  cells.at(cellKey({ span, bucket, groups: found.groups })).add(found.measured.value, micros, tieOf(event), found.measured.different);
};

/** Adds the whole buckets inside the pieces to the cells of their questions. */
const addBuckets = async (tx: Tx, tenant: string, pieces: readonly Piece[]): Promise<void> => {
  const inside = pieces.map((piece) => ({ piece, whole: wholeBuckets(piece, piece.work.rule.settings.bucketMicros) })).filter(({ whole }) => whole.from < whole.to);
  if (inside.length === 0) return;
  const wanted = new Map(inside.map(({ piece }) => [`${piece.work.rule.key}\n${piece.subject}`, piece]));
  const list = [...wanted.values()];
  const { rows } = await tx.query<{ place: bigint; series: bigint; groups: string }>(
    `SELECT g.place, s.series, s.groups FROM unnest($2::text[], $3::text[]) WITH ORDINALITY g(meter, subject, place)
     JOIN usage_series s ON s.tenant = $1 AND s.meter = g.meter AND s.subject = g.subject`, [tenant, list.map(({ work }) => work.rule.key), list.map(({ subject }) => subject)]);
  const series = new Map<string, { series: number; groups: string }[]>();
  for (const row of rows) {
    const { work, subject } = list[Number(row.place) - 1]!;
    const key = `${work.rule.key}\n${subject}`;
    const own = series.get(key);
    if (own === undefined) series.set(key, [{ series: Number(row.series), groups: row.groups }]);
    else own.push({ series: Number(row.series), groups: row.groups });
  }
  const stretches = inside.flatMap(({ piece, whole }) => (series.get(`${piece.work.rule.key}\n${piece.subject}`) ?? []).map((one) => ({ piece, ...whole, ...one })));
  const byFold = new Map<Fold, (SeriesStretch & { piece: Piece; groups: string })[]>();
  for (const [place, one] of stretches.entries()) {
    const { fold } = one.piece.work.rule.aggregation;
    const own = byFold.get(fold);
    if (own === undefined) byFold.set(fold, [{ ...one, place }]);
    else own.push({ ...one, place });
  }
  for (const [fold, own] of byFold) {
    for (const { place, bucket, columns, values } of await readCells(tx, fold, own)) {
      const { piece, groups } = stretches[place]!;
      const tally = piece.work.cells.at(cellKey({ span: piece.span, bucket: piece.isCarried ? CARRIED : bucket, groups }));
      tally.mergeColumns(columns);
      for (const value of values) tally.see(value, 1);
    }
  }
};

/** Adds the events in stretches of pieces to the cells of their questions; answers a proof the envelopes that are no longer what they were. */
export const addEvents = (tx: Tx, tenant: string, pieces: readonly Piece[], reading?: Reading): Promise<string[]> =>
  visitEvents(tx, tenant, pieces, (index, event) => { countEvent(pieces[index]!, event); }, reading);

const partitionsOfSubjects = (tenant: string, { usage }: StatementRequest): number[] =>
  [...new Set(usage.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS)))].sort((a, b) => a - b);

export const sha256 = (text: string): string => hash('sha256', text, 'hex');

/**
 * Answers questions of one tenant from the caller's snapshot: whole buckets inside their spans, raw envelopes at ragged edges. The answer is as of
 * the ends of metering's copy in that snapshot, so the transaction has to be REPEATABLE READ.
 */
export const answersTo = async (tx: Tx, tenant: string, questions: readonly Question[]): Promise<Answer[]> => {
  const works = questions.map(workOf);
  const pieces = works.flatMap(piecesOf);
  await addBuckets(tx, tenant, pieces);
  await addEvents(tx, tenant, pieces.flatMap((piece) => raggedEdges(piece, piece.work.rule.settings.bucketMicros).map((edge) => ({ ...piece, ...edge }))));
  const priced = new Map<Work, PricedGroups>();
  for (const work of works) if (work.question.request.terms !== undefined) priced.set(work, await priceEvents(tx, tenant, work));
  const { rows } = await tx.query<{ partition: number; position: bigint; link: Buffer }>('SELECT partition, position, link FROM usage_partitions');
  const heads = new Map(rows.map((row) => [row.partition, row]));
  return works.map((work) => {
    const { question: { request }, rule, spans, cells } = work;
    const own = partitionsOfSubjects(tenant, request).map((partition) => heads.get(partition)!);
    const asOf = Object.fromEntries(own.map(({ partition, position }) => [String(partition), String(position)]));
    const chain = Object.fromEntries(own.map(({ partition, link }) => [String(partition), link.toString('hex')]));
    const quantities = withPrices(quantitiesOf(request, rule, spans, cells), priced.get(work));
    return { quantities, asOf, evidence: sha256(evidenceText(request, quantities, cells, chain)) };
  });
};

/** What of a question is read from the envelopes: the edges of its pieces, and all of its spans where it has terms. */
const rawOf = (work: Work): SubjectStretch[] => [
  ...piecesOf(work).flatMap((piece) => raggedEdges(piece, work.rule.settings.bucketMicros).map(({ from, to }) => ({ subject: piece.subject, from, to }))), ...(work.question.request.terms === undefined ? [] : work.spans)];

/** What the reason begins with why a question cannot be answered. */
export const USAGE_DROPPED = 'usage_dropped';

/** Why questions cannot be answered, by index: envelopes that they need were dropped, or their meter began too late to count what is in them. */
export const droppedBehind = async (tx: Tx, tenant: string, questions: readonly Question[]): Promise<ReadonlyMap<number, string>> => {
  const works = questions.map(workOf);
  const raw = works.flatMap((work, index) => rawOf(work).map((stretch) => ({ index, ...stretch })));
  const asked = works.flatMap((work, index) => piecesOf(work).map(({ subject, from, to }) => ({ index, subject, from, to, rules: work.question.rules })));
  const reasons = new Map<number, string>();
  for (const [nth, bucket] of await droppedIn(tx, tenant, raw)) reasons.set(raw[nth]!.index, `${USAGE_DROPPED}: ${raw[nth]!.subject} has lost events of the quarter of an hour from ${instantFromMicros(bucket)} that it needs one by one`);
  for (const [nth, until] of await missedIn(tx, tenant, asked)) {
    const { index, subject, rules } = asked[nth]!;
    reasons.set(index, `${USAGE_DROPPED}: ${subject} has lost events of before ${instantFromMicros(until)} that meter ${rules[0]!.key} began too late to count`);
  }
  return reasons;
};

/** Refuses with `usage_dropped` a question that cannot be answered. */
export const assertAnswerable = async (tx: Tx, tenant: string, question: Question): Promise<void> => {
  const [reason] = (await droppedBehind(tx, tenant, [question])).values();
  if (reason !== undefined) throw new Refused(USAGE_DROPPED, reason);
};

/** The links of the chain at positions of the copy, as hex; of position 0 the empty one. */
export const chainAt = async (tx: Tx, asOf: UpTo): Promise<Record<string, string>> => {
  const places = [...asOf];
  const { rows } = await tx.query<{ partition: number; link: Buffer }>(
    'SELECT e.partition, e.link FROM usage_envelopes e JOIN unnest($1::int[], $2::bigint[]) g(partition, position) ON e.partition = g.partition AND e.position = g.position',
    [places.map(([partition]) => partition), places.map(([, position]) => position)]);
  const links = new Map(rows.map(({ partition, link }) => [partition, link.toString('hex')]));
  return Object.fromEntries(places.map(([partition]) => [String(partition), links.get(partition) ?? '']));
};

/** Answers a question again from the envelopes alone, as of positions of the copy: what came later is not in it. Needs a role that sees every tenant's links. */
export const answerAgain = async (tx: Tx, tenant: string, question: Question, asOf: UpTo): Promise<Pick<Answer, 'quantities' | 'evidence'>> => {
  const work = workOf(question);
  const proof: Reading = { upTo: asOf, isProof: true };
  const broken = await addEvents(tx, tenant, piecesOf(work), proof);
  const priced = question.request.terms === undefined ? undefined : await priceEvents(tx, tenant, work, proof);
  const quantities = withPrices(quantitiesOf(question.request, work.rule, work.spans, work.cells), priced);
  return { quantities, evidence: sha256(evidenceText(question.request, quantities, work.cells, await chainAt(tx, asOf), broken)) };
};
