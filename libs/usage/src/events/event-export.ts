import type { ListedEvent } from './listed-events';
import type { EventFilter, SearchPosition, SearchResult } from './event-search';

/** What events can be exported as, by content type. */
export type ExportType = 'text/csv' | 'application/x-ndjson';

const COLUMNS = ['subject', 'source', 'id', 'type', 'time', 'receivedAt', 'status', 'reason', 'late', 'meters', 'partition', 'position', 'index', 'envelope', 'data', 'extensions'] as const;
const LINE_END = '\r\n';
/** Events of one search, and so what is in memory at a time. */
const SEARCHED_AT_ONCE = 500;

/** A field as RFC 4180 has it. It is not altered beside that: what is exported is what was sent, and can be sent again. */
const field = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
const json = (value: unknown): string => (value === null ? '' : JSON.stringify(value));

const csvLine = (event: ListedEvent): string => {
  const { place, meters, late, reason, data, extensions } = event;
  const own = { ...event, ...place, partition: String(place.partition), index: String(place.index), meters: meters.join(' '), late: String(late), reason: reason ?? '', data: json(data), extensions: json(extensions) };
  return COLUMNS.map((column) => field(own[column])).join(',') + LINE_END;
};

/** The type that an `Accept` header asks for, by its order; undefined where it asks for the usual page. */
export const exportTypeOf = (accept: string | undefined): ExportType | undefined => {
  const wanted = (accept ?? '').split(',').map((part) => part.split(';')[0]!.trim().toLowerCase()).find((type) => ['text/csv', 'application/x-ndjson', 'application/json', '*/*'].includes(type));
  return wanted === 'text/csv' || wanted === 'application/x-ndjson' ? wanted : undefined;
};

/** All events of a search as text, a piece at a time: the next one is looked for when this one has been taken. */
export async function* exportEvents(type: ExportType, filter: EventFilter, search: (filter: EventFilter, after: SearchPosition | undefined, limit: number) => Promise<SearchResult>): AsyncGenerator<string> {
  if (type === 'text/csv') yield COLUMNS.join(',') + LINE_END;
  let after: SearchPosition | undefined;
  do {
    const { events, next } = await search(filter, after, SEARCHED_AT_ONCE);
    if (events.length > 0) yield events.map(({ event }) => (type === 'text/csv' ? csvLine(event) : `${JSON.stringify(event)}\n`)).join('');
    after = next;
  } while (after !== undefined);
}
