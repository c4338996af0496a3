import { Readable } from 'node:stream';
import { Controller, Get, Headers, Inject, Query, Res } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { anything, flag, instant, list, mapOf, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { instantFromMicros } from '@valueverse/kernel';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, InstantField, OneOf, type Page, PageQuery, Text } from '@valueverse/platform';
import { droppedUntil } from '../retention/missed';
import { UsageHost } from '../usage-host';
import { STATUSES, type EventStatus } from './domain/standing';
import { exportEvents, exportTypeOf } from './event-export';
import { keptPlace, lookUpEvent, readUpTo, type LookedUp } from './event-lookup';
import { searchEvents, type EventFilter, type SearchPosition } from './event-search';
import type { ListedEvent } from './listed-events';

export class EventsQuery extends PageQuery {
  @Text({ optional: true }) subject?: string;
  @Text({ optional: true }) source?: string;
  @Text({ optional: true }) id?: string;
  @Text({ optional: true }) type?: string;
  @InstantField({ optional: true, description: 'It occurred then or later' }) from?: string;
  @InstantField({ optional: true, description: 'It occurred before' }) to?: string;
  @InstantField({ optional: true, description: 'It was received then or later' }) receivedFrom?: string;
  @InstantField({ optional: true, description: 'It was received before' }) receivedTo?: string;
  @OneOf(STATUSES, { optional: true }) status?: EventStatus;
}
export class LookupQuery {
  @Text() subject!: string;
  @Text() source!: string;
  @Text() id!: string;
  @InstantField({ optional: true, description: 'Where to look: it occurred then or later' }) from?: string;
  @InstantField({ optional: true, description: 'Where to look: it occurred before' }) to?: string;
}

const PLACE = object({ partition: whole(), position: text(), index: whole() });
const EVENT = object({
  subject: text(), source: text(), id: text(), type: text(), time: instant(), receivedAt: instant(), status: oneOf(...STATUSES), reason: nullable(text()), late: flag(), meters: list(text()),
  notes: list(object({ code: text(), meterKey: nullable(text()), first: nullable(PLACE) })), correction: nullable(object({ id: text(), kind: oneOf('void', 'amend'), reason: text() })),
  supersededBy: nullable(object({ kind: oneOf('void', 'amend'), place: PLACE })), place: PLACE, envelope: text(), data: nullable(mapOf(anything())), extensions: nullable(mapOf(anything())),
});
const LOOKED_UP = object({ subject: text(), source: text(), id: text(), occurrences: list(EVENT), standing: nullable(PLACE), dropped: list(PLACE), complete: flag(), asOf: instant() });

/** Reading usage events: what came in, and where each of them stands. */
@ApiTags('usage')
@Controller('api/v1/usage/events')
export class EventsListController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  /**
   * The latest received first. A page may have fewer events than `limit`, or none, and be followed by more: a search looks at so much at a time. With `Accept: text/csv` or
   * `application/x-ndjson` all of them, as a stream. The header `ValueVerse-Dropped-Until` says that envelopes up to that receipt were dropped by retention: their events are not listed.
   */
  @Get()
  @Allow('usage:read')
  @ApiProduces('application/json', 'text/csv', 'application/x-ndjson')
  @AnswersPage(EVENT)
  async list(@Query() query: EventsQuery, @CurrentCaller() { tenant }: Caller, @Headers('accept') accept: string | undefined, @Res({ passthrough: true }) reply: FastifyReply): Promise<Page<ListedEvent> | Readable> {
    const { limit, cursor, ...filter } = query;
    const dropped = await this.host.read(tenant, (tx) => droppedUntil(tx, tenant));
    if (dropped !== undefined) void reply.header('ValueVerse-Dropped-Until', instantFromMicros(dropped));
    const type = exportTypeOf(accept);
    if (type !== undefined) {
      void reply.header('Content-Type', `${type}; charset=utf-8`);
      return Readable.from(exportEvents(type, filter, (...search) => this.search(tenant, ...search)), { objectMode: false });
    }
    const name = JSON.stringify(['events', tenant, filter]);
    const after = this.cursors.read(cursor, name) as SearchPosition | undefined;
    const { events, next } = await this.search(tenant, filter, after, limit + 1);
    const shown = events.slice(0, limit);
    const last = events.length > limit ? shown.at(-1)!.position : next;
    return { data: shown.map(({ event }) => event), hasMore: last !== undefined, nextCursor: last === undefined ? null : this.cursors.write(last, name) };
  }

  /** Why an event counts, or does not. What is not there up to `asOf` was not accepted before. */
  @Get('lookup')
  @Allow('usage:read')
  @Answers(LOOKED_UP)
  async lookUp(@Query() { from, to, ...name }: LookupQuery, @CurrentCaller() { tenant }: Caller): Promise<LookupQuery & LookedUp & { asOf: string }> {
    const looks = await this.host.reader.horizon.look();
    const kept = await this.host.service.database.transaction({ role: 'worker', readOnly: true }, (tx) => keptPlace(tx, tenant, name));
    return this.host.read(tenant, async (tx) => ({ ...name, ...await lookUpEvent(tx, tenant, name, kept, { from, to }), asOf: await readUpTo(tx, tenant, name.subject, looks) }));
  }

  private search(tenant: string, filter: EventFilter, after: SearchPosition | undefined, limit: number): ReturnType<typeof searchEvents> {
    return this.host.read(tenant, (tx) => searchEvents(tx, tenant, filter, after, limit));
  }
}
