import { canonicalJson, sha256Hex } from '@valueverse/kernel';
import type { Fold } from '../../metering/domain/aggregations';
import type { SeriesDelta } from '../../metering/domain/deltas';
import { Tally, type TallyColumns } from '../../metering/domain/tally';

/** What dropped events came to in one bucket of one series of a subject. `bucket` is that of the meter, which may have other ones than quarters of an hour. */
export interface SealedTally extends TallyColumns {
  readonly meter: string;
  readonly version: number;
  readonly groups: string;
  readonly bucket: number;
  readonly fold: Fold;
  /** Where values are told apart: each, and how many events had it. */
  readonly values: readonly (readonly [value: string, events: number])[];
}
/** A dropped envelope: its position, and the hash of the body that it had. */
export type SealedEnvelope = readonly [position: string, bodyHash: string];

export const tallyOf = (sealed: SealedTally): Tally => {
  const tally = new Tally(sealed.fold, sealed.moment !== null);
  tally.mergeColumns(sealed);
  for (const [value, events] of sealed.values) tally.see(value, events);
  return tally;
};

type Named = Pick<SealedTally, 'meter' | 'version' | 'groups' | 'bucket'>;
const nameOf = ({ meter, version, groups, bucket }: Named): string => `${meter}\n${version}\n${bucket}\n${groups}`;

/** What the dropped events of a subject's quarter of an hour came to. Folding is exact and does not depend on order, so what is dropped later is added. */
export class SealedTallies {
  private readonly rows = new Map<string, { readonly named: Named; readonly tally: Tally }>();

  constructor(text = '[]') {
    for (const sealed of JSON.parse(text) as SealedTally[]) this.rows.set(nameOf(sealed), { named: sealed, tally: tallyOf(sealed) });
  }

  add({ rule, groups, cells }: Pick<SeriesDelta, 'rule' | 'groups' | 'cells'>): void {
    for (const [bucket, tally] of cells) {
      const named = { meter: rule.key, version: rule.version, groups, bucket };
      const known = this.rows.get(nameOf(named));
      if (known === undefined) this.rows.set(nameOf(named), { named, tally });
      else known.tally.merge(tally);
    }
  }

  /** As canonical JSON, in the order of the names. */
  get text(): string {
    return canonicalJson([...this.rows].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, { named: { meter, version, groups, bucket }, tally }]): SealedTally => (
      { meter, version, groups, bucket, fold: tally.fold, ...tally.columns, values: [...tally.values].sort(([left], [right]) => (left < right ? -1 : 1)) })));
  }
}

/** SHA-256 over what a seal says: whose it is, what the dropped events came to, and the dropped envelopes in the order of their positions. As hex. */
export const sealHash = ({ tenant, subject, bucket }: { tenant: string; subject: string; bucket: number }, tallies: string, envelopes: readonly SealedEnvelope[]): string =>
  sha256Hex(canonicalJson({ tenant, subject, bucket, tallies: sha256Hex(tallies), envelopes }));
