import type { GroupQuantity } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { BUCKET_MICROS, raggedEdges } from '../metering/domain/bucket';
import { type MeterRule, rulesOf } from '../metering/domain/measure';
import { meterOf } from '../meters/meters';
import type { UpTo } from '../query/copy-reader';
import { faultsOfSeals } from '../retention/check-seals';
import { type SealedTally, tallyOf } from '../retention/domain/seal';
import { type Seal, sealsAround } from '../retention/seals';
import { addEvents, chainAt, piecesOf, type Piece, type Question, sha256, type Work, workOf } from './compute';
import { CARRIED, cellKey, evidenceText, quantitiesOf } from './domain/evidence';
import type { StatementData } from './domain/statement';

/** What is known of a statement whose events are gone. */
export interface SealedAnswer { readonly quantities: readonly GroupQuantity[]; readonly evidence: string; readonly sealed: { readonly isIntact: boolean; readonly isRecomputed: boolean } }

const isIn = ({ subject, from, to }: Piece, seal: Seal): boolean => seal.subject === subject && seal.bucket < to && seal.bucket + BUCKET_MICROS > from;

/** An event that was corrected after the statement, and then dropped, is in the statement and not in the seal. */
const wasCorrectedSince = async (tx: Tx, tenant: string, seals: readonly Seal[], asOf: UpTo): Promise<boolean> => {
  const { rows } = await tx.query(
    `SELECT FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::int[]) g(subject, bucket, up_to, partition) JOIN usage_bucket_envelopes x ON x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket = g.bucket
     JOIN usage_superseded s ON s.tenant = $1 AND s.partition = x.partition AND s.position = x.position AND s.by_position > g.up_to LIMIT 1`,
    [tenant, seals.map(({ subject }) => subject), seals.map(({ bucket }) => bucket), seals.map(({ partition }) => asOf.get(partition) ?? 0), seals.map(({ partition }) => partition)]);
  return rows.length > 0;
};

/** Whether seals hold exactly what a statement counted: no edge and no price needs single events, and nothing came to them after it, by events, by corrections or by a later version of the meter. */
const holdsAll = async (tx: Tx, tenant: string, { question: { request, rules }, rule }: Work, pieces: readonly Piece[], seals: readonly Seal[], asOf: UpTo, now: readonly MeterRule[]): Promise<boolean> => {
  if (request.terms !== undefined) return false;
  const edges = pieces.flatMap((piece) => raggedEdges(piece, rule.settings.bucketMicros).map((edge) => ({ ...piece, ...edge })));
  if (edges.some((edge) => seals.some((seal) => isIn(edge, seal)))) return false;
  if (seals.some(({ partition, position }) => position > (asOf.get(partition) ?? 0))) return false;
  const later = now.filter(({ version }) => version > rules.at(-1)!.version);
  if (later.some(({ from }) => seals.some(({ bucket }) => bucket + BUCKET_MICROS > from))) return false;
  return !(await wasCorrectedSince(tx, tenant, seals, asOf));
};

const addSeals = ({ cells, rule }: Work, pieces: readonly Piece[], seals: readonly Seal[]): void => {
  for (const piece of pieces) {
    for (const seal of seals.filter((one) => isIn(piece, one))) {
      for (const part of JSON.parse(seal.tallies) as SealedTally[]) {
        if (part.meter === rule.key && part.bucket >= piece.from && part.bucket < piece.to) cells.at(cellKey({ span: piece.span, bucket: piece.isCarried ? CARRIED : part.bucket, groups: part.groups })).merge(tallyOf(part));
      }
    }
  }
};

/**
 * Compares a statement with what is left where retention has dropped envelopes behind it: its buckets with their seals and the envelopes that are there. Where the seals hold exactly what it counted, it is
 * computed again from them, to the same evidence. Undefined where nothing behind it was dropped. Needs a role that sees every tenant's links.
 */
export const answerSealed = async (tx: Tx, tenant: string, statement: StatementData, question: Question, asOf: UpTo): Promise<SealedAnswer | undefined> => {
  const work = workOf(question);
  const pieces = piecesOf(work);
  const seals = await sealsAround(tx, tenant, pieces);
  if (seals.length === 0) return undefined;
  const now = rulesOf((await meterOf(tx, tenant, statement.meterKey))!);
  const isSound = (await faultsOfSeals(tx, tenant, now, seals)).length === 0;
  if (!(await holdsAll(tx, tenant, work, pieces, seals, asOf, now))) return { quantities: statement.quantities, evidence: statement.evidence, sealed: { isIntact: isSound, isRecomputed: false } };
  const broken = await addEvents(tx, tenant, pieces, { upTo: asOf, isProof: true });
  addSeals(work, pieces, seals);
  const quantities = quantitiesOf(question.request, work.rule, work.spans, work.cells);
  const evidence = sha256(evidenceText(question.request, quantities, work.cells, await chainAt(tx, asOf), broken));
  return { quantities, evidence, sealed: { isIntact: isSound && evidence === statement.evidence, isRecomputed: true } };
};
