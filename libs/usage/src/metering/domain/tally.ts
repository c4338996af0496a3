import { Decimal } from '@valueverse/kernel';
import type { Fold } from './aggregations/aggregation';
import { ExactSum } from './exact-sum';

/** A tally as a row of a bucket holds it. */
export interface TallyColumns {
  readonly total: string;
  readonly events: number;
  readonly moment: string | null;
  readonly at: number | null;
  readonly tie: string | null;
}

/** Text order by the bytes of UTF-8, as the database compares keys. */
const isGreater = (left: string, right: string): boolean => Buffer.compare(Buffer.from(left), Buffer.from(right)) > 0;

const NONE: ReadonlyMap<string, number> = new Map();

/** The events of a stretch of time folded into one: their number, and what their values come to. Folding is exact and does not depend on order. */
export class Tally {
  events = 0;
  private readonly sum = new ExactSum();
  private weighted: ExactSum | undefined;
  private chosen: Decimal | undefined;
  private at = 0;
  private tie = '';
  private different: Map<string, number> | undefined;

  constructor(readonly fold: Fold, readonly weighsTime = false) {}

  /** Adds one event. `tie` says which of two that claim the same instant is the later one: source and id. `different` names the value where values are only told apart. */
  add(value: number | Decimal, micros: number, tie: string, different = ''): void {
    this.events += 1;
    if (this.fold === 'add') this.sum.add(value);
    else if (this.fold === 'distinct') this.see(different, 1);
    else this.choose(typeof value === 'number' ? Decimal.of(value) : value, micros, tie);
    if (this.weighsTime) this.weigh(value, micros);
  }

  /** Takes back one event that was added before. A tally that chooses a value cannot: it is counted anew. */
  take(value: number | Decimal, micros: number, different = ''): void {
    this.events -= 1;
    const negative = typeof value === 'number' ? -value : value.negate();
    if (this.fold === 'distinct') this.see(different, -1);
    else this.sum.add(negative);
    if (this.weighsTime) this.weigh(negative, micros);
  }

  /** Adds what another tally of the same fold holds. */
  merge(other: Tally): void {
    this.events += other.events;
    if (this.fold === 'add') this.sum.add(other.sum.total);
    else if (other.chosen !== undefined) this.choose(other.chosen, other.at, other.tie);
    for (const [value, events] of other.values) this.see(value, events);
    if (other.weighted !== undefined) (this.weighted ??= new ExactSum()).add(other.weighted.total);
  }

  /** Adds a row of a bucket, or several that were added up. */
  mergeColumns({ total, events, moment, at, tie }: TallyColumns): void {
    this.events += events;
    if (this.fold === 'add') this.sum.add(Decimal.parse(total));
    else if (this.fold !== 'distinct' && events > 0) this.choose(Decimal.parse(total), at ?? 0, tie ?? '');
    if (moment !== null) (this.weighted ??= new ExactSum()).add(Decimal.parse(moment));
  }

  /** Notes that a value was there in so many events, which are counted elsewhere. */
  see(value: string, events: number): void {
    const different = this.different ??= new Map<string, number>();
    different.set(value, (different.get(value) ?? 0) + events);
  }

  /** The sum of the values; of a tally that chooses one, that one, or 0 where there is none. */
  get total(): Decimal { return this.fold === 'add' ? this.sum.total : this.chosen ?? Decimal.zero; }
  /** Sum of value x instant, in units x microseconds since 1970. */
  get moment(): Decimal { return this.weighted?.total ?? Decimal.zero; }
  /** The least, greatest or latest value; undefined where there is no event. */
  get choice(): Decimal | undefined { return this.chosen; }
  /** Different values -> the events that had each. */
  get values(): ReadonlyMap<string, number> { return this.different ?? NONE; }

  get columns(): TallyColumns {
    const isLatest = this.fold === 'latest';
    return { total: this.total.toString(), events: this.events, moment: this.weighsTime ? this.moment.toString() : null, at: isLatest ? this.at : null, tie: isLatest ? this.tie : null };
  }

  private weigh(value: number | Decimal, micros: number): void {
    (this.weighted ??= new ExactSum()).add((typeof value === 'number' ? Decimal.of(value) : value).times(Decimal.of(micros)));
  }

  private choose(value: Decimal, micros: number, tie: string): void {
    if (this.chosen !== undefined && !this.isBetter(this.chosen, value, micros, tie)) return;
    this.chosen = value;
    this.at = micros;
    this.tie = tie;
  }

  /** Two subjects may use one id at one instant: of them the greater value is the latest, whichever came first. */
  private isBetter(chosen: Decimal, value: Decimal, micros: number, tie: string): boolean {
    if (this.fold !== 'latest') return this.fold === 'least' ? value.lt(chosen) : value.gt(chosen);
    if (micros !== this.at) return micros > this.at;
    return tie === this.tie ? value.gt(chosen) : isGreater(tie, this.tie);
  }
}
