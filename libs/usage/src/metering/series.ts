import { hash } from 'node:crypto';
import { byteaArray, type Tx } from '@valueverse/event-log';
import { ALL_SUBJECTS, type SeriesDelta, type SeriesName } from './domain/deltas';

/** The most combinations of dimensions that one subject may have in one version of a meter. More are values that should not be dimensions, such as ids. */
export const GROUPS_PER_SUBJECT_MAX = 1_000;
/** Numbers of series that a process remembers, in two halves: some 100 MB where they are full. */
const REMEMBERED_HALF = 250_000;
const KEY_BYTES = 16;

const keyOf = (text: string): Buffer => hash('sha256', text, 'buffer').subarray(0, KEY_BYTES);

/**
 * The numbers of series. Each belongs to one partition, whose lock the caller holds, so no other process makes the same one at the same time. Numbers are
 * remembered once they are committed.
 */
export class SeriesIndex {
  /** Those that were used lately; when it is full it becomes the older half, and what is still used there comes back. */
  private known = new Map<string, number>();
  private older: ReadonlyMap<string, number> = new Map();

  /** Text of a series -> its number; those above the limit have none. New ones are numbered in the order given. */
  async numbersOf(tx: Tx, wanted: ReadonlyMap<string, SeriesDelta>): Promise<Map<string, number>> {
    const found = await this.existing(tx, wanted);
    const absent = [...wanted.keys()].filter((text) => !found.has(text));
    if (absent.length === 0) return found;
    const missing = await this.allowed(tx, absent.map((text) => ({ text, name: wanted.get(text)! })));
    if (missing.length === 0) return found;
    const keys = new Map(missing.map(({ text }) => [keyOf(text).toString('hex'), text]));
    const { rows } = await tx.query<{ series: bigint; key: Buffer }>(
      `INSERT INTO usage_series (key, tenant, meter, version, partition, subject, groups)
       SELECT key, tenant, meter, version, partition, subject, groups FROM unnest($1::int[], $2::bytea[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[]) WITH ORDINALITY g(partition, key, tenant, meter, version, subject, groups, place)
       ORDER BY place RETURNING series, key`,
      [missing.map(({ name }) => name.partition), byteaArray(missing.map(({ text }) => keyOf(text))), missing.map(({ name }) => name.tenant), missing.map(({ name }) => name.rule.key), missing.map(({ name }) => name.rule.version),
        missing.map(({ name }) => name.subject), missing.map(({ name }) => name.groups)]);
    const made = new Map(rows.map(({ series, key }) => [keys.get(key.toString('hex'))!, Number(series)]));
    for (const [text, number] of made) found.set(text, number);
    tx.afterCommit(() => this.remember(made));
    return found;
  }

  /** The numbers of those that are there. */
  async existing(tx: Tx, wanted: ReadonlyMap<string, SeriesName>): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const unknown: string[] = [];
    for (const text of wanted.keys()) {
      const number = this.known.get(text) ?? this.broughtBack(text);
      if (number === undefined) unknown.push(text);
      else found.set(text, number);
    }
    if (unknown.length === 0) return found;
    const keys = new Map(unknown.map((text) => [keyOf(text).toString('hex'), text]));
    const { rows } = await tx.query<{ series: bigint; key: Buffer }>('SELECT series, key FROM usage_series WHERE key = ANY($1::bytea[])', [byteaArray(unknown.map(keyOf))]);
    const fresh = new Map(rows.map(({ series, key }) => [keys.get(key.toString('hex'))!, Number(series)]));
    for (const [text, number] of fresh) found.set(text, number);
    tx.afterCommit(() => this.remember(fresh));
    return found;
  }

  private remember(numbers: ReadonlyMap<string, number>): void {
    for (const [text, number] of numbers) this.keep(text, number);
  }
  private keep(text: string, number: number): void {
    if (this.known.size >= REMEMBERED_HALF) {
      this.older = this.known;
      this.known = new Map();
    }
    this.known.set(text, number);
  }
  private broughtBack(text: string): number | undefined {
    const number = this.older.get(text);
    if (number !== undefined) this.keep(text, number);
    return number;
  }

  /** Leaves out what would give a subject more combinations than it may have: those that came last, so that it does not matter how the log is cut. */
  private async allowed(tx: Tx, wanted: readonly { text: string; name: SeriesDelta }[]): Promise<{ text: string; name: SeriesDelta }[]> {
    const ofSubjects = wanted.filter(({ name }) => name.subject !== ALL_SUBJECTS && name.rule.dimensions.length > 0);
    if (ofSubjects.length === 0) return [...wanted];
    const subjectOf = ({ tenant, rule, subject }: SeriesName): string => `${tenant}\n${rule.key}\n${rule.version}\n${subject}`;
    const subjects = new Map(ofSubjects.map(({ name }) => [subjectOf(name), name]));
    const list = [...subjects.values()];
    const { rows } = await tx.query<{ place: bigint; count: bigint }>(
      `SELECT g.place, count(s.series) AS count FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]) WITH ORDINALITY g(tenant, meter, version, subject, place)
       JOIN usage_series s ON (s.tenant, s.meter, s.version, s.subject) = (g.tenant, g.meter, g.version, g.subject) GROUP BY 1`,
      [list.map(({ tenant }) => tenant), list.map(({ rule }) => rule.key), list.map(({ rule }) => rule.version), list.map(({ subject }) => subject)]);
    const counts = new Map(rows.map(({ place, count }) => [subjectOf(list[Number(place) - 1]!), Number(count)]));
    const tooMany = new Set<string>();
    for (const { text, name } of ofSubjects.sort((left, right) => left.name.nth - right.name.nth)) {
      const subject = subjectOf(name);
      const count = counts.get(subject) ?? 0;
      counts.set(subject, count + 1);
      if (count >= GROUPS_PER_SUBJECT_MAX) tooMany.add(text);
    }
    return wanted.filter(({ text }) => !tooMany.has(text));
  }
}
