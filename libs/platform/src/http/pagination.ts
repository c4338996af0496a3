import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from '../problem/problem';
import { Text, Whole } from './fields';

export const PAGE_LENGTH_DEFAULT = 20;
export const PAGE_LENGTH_MAX = 100;
const CURSOR_LENGTH_MAX = 1024;
const SIGNATURE_BYTES = 16;

/** The query of every list. */
export class PageQuery {
  @Whole({ optional: true, min: 1, max: PAGE_LENGTH_MAX, fromText: true, description: 'How many to return, 20 if not given' })
  limit: number = PAGE_LENGTH_DEFAULT;

  @Text({ optional: true, max: CURSOR_LENGTH_MAX, description: '`nextCursor` of the page before' })
  cursor?: string;
}

/** One page of a list. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  readonly nextCursor: string | null;
}

/** The columns that a list is ordered by, of the last row of a page, as texts. */
export type Position = readonly string[];

/**
 * Makes and reads cursors. A cursor is the position of the last row, signed together with the list it belongs to, so that
 * it can be neither forged nor used on another tenant's list.
 */
export class Cursors {
  constructor(private readonly secret: string | Buffer) {}

  /** `list` names the list, its filters and the tenant. */
  write(position: Position, list: string): string {
    const payload = Buffer.from(JSON.stringify(position));
    return Buffer.concat([this.sign(payload, list), payload]).toString('base64url');
  }

  /** The position; undefined for no cursor. Refuses with `invalid_cursor`. */
  read(cursor: string | undefined, list: string): Position | undefined {
    if (cursor === undefined) return undefined;
    const bytes = Buffer.from(cursor, 'base64url');
    const [signature, payload] = [bytes.subarray(0, SIGNATURE_BYTES), bytes.subarray(SIGNATURE_BYTES)];
    const isOurs = signature.length === SIGNATURE_BYTES && timingSafeEqual(signature, this.sign(payload, list));
    if (!isOurs || bytes.toString('base64url') !== cursor) {
      throw new Problem(400, 'invalid_cursor', 'the cursor is not one that this list gave', { errors: [{ pointer: '/cursor', code: 'invalid_cursor', detail: 'is not a cursor of this list' }] });
    }
    return JSON.parse(payload.toString('utf8')) as Position;
  }

  /** The page of rows that were read with `limit + 1`: the one too many only says that there is more. */
  page<Row, T>(rows: readonly Row[], query: Pick<PageQuery, 'limit'>, list: string, positionOf: (row: Row) => Position, toApi: (row: Row) => T): Page<T> {
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    const hasMore = rows.length > query.limit;
    return { data: shown.map(toApi), hasMore, nextCursor: hasMore && last !== undefined ? this.write(positionOf(last), list) : null };
  }

  private sign(payload: Buffer, list: string): Buffer {
    return createHmac('sha256', this.secret).update('cursor\0').update(list).update('\0').update(payload).digest().subarray(0, SIGNATURE_BYTES);
  }
}
