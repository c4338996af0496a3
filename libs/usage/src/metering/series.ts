import { hash } from 'node:crypto';
import { byteaArray, type Tx } from '@valueverse/event-log';
import { ALL_SUBJECTS, type NumberedSeries, type SeriesDelta, type SeriesName, seriesText } from './domain/deltas';
import type { MeterRule } from './domain/measure';

/** The most combinations of dimensions that one subject may have in one version of a meter. More are values that should not be dimensions, such as ids. */
export const GROUPS_PER_SUBJECT_MAX = 1_000;
/** Numbers of series that a process remembers, in two halves. */
const REMEMBERED_HALF = 250_000;
const KEY_BYTES = 16;

const keyOf = (name: SeriesName): Buffer => hash('sha256', seriesText(name), 'buffer').subarray(0, KEY_BYTES);

/** Numbers by the parts of the name: a text of all of them would have to be put together and hashed for each look. */
class Numbers {
  size = 0;
  /** Version of a meter and partition -> combination of dimensions -> subject. */
  private readonly rows = new Map<string, Map<string, Map<string, number>>>();
  private rule: MeterRule | undefined;
  private partition = -1;
  private text = '';
  private ofRule: Map<string, Map<string, number>> | undefined;

  get({ tenant, rule, partition, subject, groups }: SeriesName): number | undefined {
    this.turnTo(tenant, rule, partition);
    return this.ofRule?.get(groups)?.get(subject);
  }

  set({ tenant, rule, partition, subject, groups }: SeriesName, number: number): void {
    const text = this.turnTo(tenant, rule, partition);
    if (this.ofRule === undefined) this.rows.set(text, this.ofRule = new Map());
    let ofGroups = this.ofRule.get(groups);
    if (ofGroups === undefined) this.ofRule.set(groups, ofGroups = new Map());
    if (!ofGroups.has(subject)) this.size += 1;
    ofGroups.set(subject, number);
  }

  /** Series are asked for one after the other by rule. A rule belongs to one tenant. Answers the name of its rows. */
  private turnTo(tenant: string, rule: MeterRule, partition: number): string {
    if (rule !== this.rule || partition !== this.partition) {
      [this.rule, this.partition, this.text] = [rule, partition, `${tenant}\n${rule.key}\n${rule.version}\n${partition}`];
      this.ofRule = this.rows.get(this.text);
    }
    return this.text;
  }
}

/** What is left of a series until it is remembered: its buckets may be large. */
const nameOf = ({ tenant, rule, partition, subject, groups, number }: NumberedSeries): NumberedSeries => ({ tenant, rule, partition, subject, groups, number });

/**
 * The numbers of series. Each belongs to one partition, whose lock the caller holds, so no other process makes the same one at the same time. Numbers are
 * remembered once they are committed.
 */
export class SeriesIndex {
  /** Those that were used lately; when it is full it becomes the older half, and what is still used there comes back. */
  private known = new Numbers();
  private older = new Numbers();

  /** Gives each series its number, new ones in the order given; none may be given twice. Answers those above the limit, which have none. */
  async number(tx: Tx, wanted: readonly SeriesDelta[]): Promise<readonly SeriesDelta[]> {
    await this.find(tx, wanted);
    const absent = wanted.filter(({ number }) => number === undefined);
    if (absent.length === 0) return absent;
    const missing = await this.allowed(tx, absent);
    const keys = missing.map(keyOf);
    const byKey = new Map(missing.map((delta, nth) => [keys[nth]!.toString('hex'), delta]));
    const { rows } = missing.length === 0 ? { rows: [] } : await tx.query<{ series: bigint; key: Buffer }>(
      `INSERT INTO usage_series (key, tenant, meter, version, partition, subject, groups)
       SELECT key, tenant, meter, version, partition, subject, groups FROM unnest($1::int[], $2::bytea[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[]) WITH ORDINALITY g(partition, key, tenant, meter, version, subject, groups, place)
       ORDER BY place RETURNING series, key`,
      [missing.map(({ partition }) => partition), byteaArray(keys), missing.map(({ tenant }) => tenant), missing.map(({ rule }) => rule.key), missing.map(({ rule }) => rule.version),
        missing.map(({ subject }) => subject), missing.map(({ groups }) => groups)]);
    for (const { series, key } of rows) byKey.get(key.toString('hex'))!.number = Number(series);
    const made = missing.map(nameOf);
    tx.afterCommit(() => this.remember(made));
    return absent.filter(({ number }) => number === undefined);
  }

  /** Gives the series that are there their numbers; none may be given twice. */
  async find(tx: Tx, wanted: readonly NumberedSeries[]): Promise<void> {
    const unknown: NumberedSeries[] = [];
    for (const series of wanted) {
      series.number = this.known.get(series) ?? this.broughtBack(series);
      if (series.number === undefined) unknown.push(series);
    }
    if (unknown.length === 0) return;
    const keys = unknown.map(keyOf);
    const byKey = new Map(unknown.map((series, nth) => [keys[nth]!.toString('hex'), series]));
    const { rows } = await tx.query<{ series: bigint; key: Buffer }>('SELECT series, key FROM usage_series WHERE key = ANY($1::bytea[])', [byteaArray(keys)]);
    const found = rows.map(({ series, key }) => nameOf(Object.assign(byKey.get(key.toString('hex'))!, { number: Number(series) })));
    tx.afterCommit(() => this.remember(found));
  }

  private remember(series: readonly NumberedSeries[]): void {
    for (const one of series) this.keep(one, one.number!);
  }
  private keep(name: SeriesName, number: number): void {
    if (this.known.size >= REMEMBERED_HALF) {
      this.older = this.known;
      this.known = new Numbers();
    }
    this.known.set(name, number);
  }
  private broughtBack(name: SeriesName): number | undefined {
    const number = this.older.get(name);
    if (number !== undefined) this.keep(name, number);
    return number;
  }

  /** Leaves out what would give a subject more combinations than it may have: those that came last, so that it does not matter how the log is cut. */
  private async allowed(tx: Tx, wanted: readonly SeriesDelta[]): Promise<readonly SeriesDelta[]> {
    const ofSubjects = wanted.filter(({ rule, subject }) => subject !== ALL_SUBJECTS && rule.dimensions.length > 0);
    if (ofSubjects.length === 0) return wanted;
    const subjectOf = ({ tenant, rule, subject }: SeriesName): string => `${tenant}\n${rule.key}\n${rule.version}\n${subject}`;
    const subjects = new Map(ofSubjects.map((name) => [subjectOf(name), name]));
    const list = [...subjects.values()];
    const { rows } = await tx.query<{ place: bigint; count: bigint }>(
      `SELECT g.place, count(s.series) AS count FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]) WITH ORDINALITY g(tenant, meter, version, subject, place)
       JOIN usage_series s ON (s.tenant, s.meter, s.version, s.subject) = (g.tenant, g.meter, g.version, g.subject) GROUP BY 1`,
      [list.map(({ tenant }) => tenant), list.map(({ rule }) => rule.key), list.map(({ rule }) => rule.version), list.map(({ subject }) => subject)]);
    const counts = new Map(rows.map(({ place, count }) => [subjectOf(list[Number(place) - 1]!), Number(count)]));
    const tooMany = new Set<SeriesDelta>();
    for (const delta of ofSubjects.sort((left, right) => left.nth - right.nth)) {
      const subject = subjectOf(delta);
      const count = counts.get(subject) ?? 0;
      counts.set(subject, count + 1);
      if (count >= GROUPS_PER_SUBJECT_MAX) tooMany.add(delta);
    }
    return wanted.filter((delta) => !tooMany.has(delta));
  }
}
