import type { Topic } from '@valueverse/contracts';
import { partitionName, type FeedRecord, type NewRecord } from './feed';

/** Of each topic partition; of what is longer the end is kept. */
const CHARACTERS_MAX = 256 * 1_024;

/** `next` is the offset after the last that was appended here, `readers` what each reader wants next. */
interface Recent { records: readonly FeedRecord[]; next: bigint; readonly readers: Map<string, bigint> }

const charactersOf = ({ value, key }: NewRecord): number => value.length + key.length;

/** The last of the records that are no longer than what is kept. */
const within = (records: readonly FeedRecord[]): readonly FeedRecord[] => {
  let [first, characters] = [records.length, 0];
  while (first > 0 && (characters += charactersOf(records[first - 1]!)) <= CHARACTERS_MAX) first -= 1;
  return records.slice(first);
};

/**
 * Facts that this process has appended and that are committed, until its readers have had them: they need not be asked for, and all readers get the same objects. What is not here is in the database, where everything is;
 * a record never changes once it has its offset.
 */
export class RecentRecords {
  private readonly byPartition = new Map<string, Recent>();

  /** What was appended, `next` being the offset after the last of it. */
  add(topic: Topic, partition: number, appended: readonly NewRecord[], next: bigint): void {
    const recent = this.of(partitionName({ topic, partition }));
    // Two transactions that ended one after the other may be told of in the other order, on two connections.
    if (next <= recent.next) return;
    const first = next - BigInt(appended.length);
    // What was appended again is known; what somebody else has appended in between is not.
    const follows = first <= recent.next;
    const fresh = appended.map((record, nth): FeedRecord => ({ ...record, topic, partition, offset: first + BigInt(nth) })).slice(follows ? Number(recent.next - first) : 0);
    recent.records = recent.readers.size === 0 ? [] : within(follows ? [...recent.records, ...fresh] : fresh);
    recent.next = next;
  }

  /** The records from an offset on, and whether there are some that it would have to be asked for. A reader that asks for an offset has had what is before it. */
  from(name: string, offset: bigint, reader: string, limit: number): { readonly records: readonly FeedRecord[]; readonly isBehind: boolean } {
    const recent = this.of(name);
    recent.readers.set(reader, offset);
    const first = recent.next - BigInt(recent.records.length);
    const records = offset < first ? [] : recent.records.slice(Number(offset - first), Number(offset - first) + limit);
    const least = [...recent.readers.values()].reduce((one, other) => (other < one ? other : one), offset);
    if (least > first) recent.records = recent.records.slice(Number(least - first));
    return { records, isBehind: offset < first };
  }

  /** A reader that is gone waits for nothing. */
  leave(reader: string, name?: string): void {
    for (const { readers } of name === undefined ? this.byPartition.values() : [this.of(name)]) readers.delete(reader);
  }

  private of(name: string): Recent {
    let recent = this.byPartition.get(name);
    if (recent === undefined) this.byPartition.set(name, recent = { records: [], next: 0n, readers: new Map() });
    return recent;
  }
}
