import { Body, Controller, Get, HttpCode, Inject, Param, Patch, Post, Query, Req, Res, type Type } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instant, mapOf, nullable, object, text, type Schema } from '@valueverse/contracts';
import { instruct, type Tx } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, created, Cursors, Flag, invalidRequest, listRows, ok, type Page, PageQuery, Problem, rowOf, type StoredAnswer } from '@valueverse/platform';
import type { Fault } from '@valueverse/rating';
import { BillingHost } from '../billing-host';
import type { ItemCommand, ItemCreated, ItemKind } from './domain/item.decider';
import { itemChange } from './domain/item-shapes';
import { readAll, type Read, type Shape } from './domain/shape';
import { itemDecider, itemId, itemsModel, type ItemRow } from './item.model';
import { type Reference, refuseUnknownReferences } from './references';

/** Archived things too, where they are wanted. */
export class CatalogQuery extends PageQuery {
  @Flag({ optional: true, fromText: true, description: 'Archived ones too' }) archived?: boolean;
}
/** More would help nobody and make the answer larger than the request. */
const FAULTS_MAX = 100;
/** 400 with every fault. */
export const refuseFaults = (faults: readonly Fault[]): void => {
  if (faults.length > 0) throw invalidRequest(faults.slice(0, FAULTS_MAX));
};
/** What a request says, or 400 with every fault. */
export const wanted = <T>(read: Read<T>): T => {
  if ('errors' in read) throw invalidRequest(read.errors.slice(0, FAULTS_MAX));
  return read.value;
};

/** A kind of thing of the catalogue: how it is read, what is noted, what of it is answered beside key, name, metadata and times. */
export interface CatalogKind<Spec extends { readonly key: string }> {
  readonly kind: ItemKind;
  /** Its part of the path, and the name of its controller. */
  readonly path: string;
  readonly name: string;
  readonly shape: Shape<Spec>;
  readonly references: (spec: Spec) => readonly Reference[];
  readonly created: (spec: Spec, at: string) => ItemCreated;
  readonly answer: Readonly<Record<string, Schema<unknown, boolean>>>;
}

const COMMON = { key: text(), name: text(), metadata: mapOf(text()), createdAt: instant(), archivedAt: nullable(instant()) };

/** The row of an item. Refuses with 404 `<kind>_not_found`. */
export const wantedItem = async <C extends ItemCreated = ItemCreated>(tx: Tx, kind: ItemKind, key: string): Promise<ItemRow<C>> => {
  const row = await rowOf<ItemRow<C>>(tx, itemsModel, itemId(kind, key));
  if (row === undefined) throw new Problem(404, `${kind}_not_found`, `there is no ${kind.replace('_', ' ')} ${key}`);
  return row;
};
/** What it says, under the names of the interface: as it was made, with the name, description and metadata of now. */
export const itemSpec = ({ key, name, description, metadata, said }: ItemRow): Readonly<Record<string, unknown>> => {
  const { type, name: _name, metadata: _metadata, createdAt: _at, ...own } = said;
  const { featureType, description: _description, productKey, featureKey: _feature, addOnKey: _addOn, couponKey: _coupon, taxRateKey: _taxRate, ...rest } = own as Record<string, unknown>;
  return {
    key, name, ...(description === undefined ? {} : { description }), ...(featureType === undefined ? {} : { type: featureType }), ...rest, ...(type === 'ProductCreated' || productKey === undefined ? {} : { productKey }), metadata,
  };
};
export const itemToApi = (row: ItemRow): Readonly<Record<string, unknown>> => ({ ...itemSpec(row), createdAt: row.createdAt, archivedAt: row.archivedAt });

const changeItem = ({ service }: BillingHost, route: string, caller: Caller, request: FastifyRequest, reply: FastifyReply, commandAt: (at: string) => ItemCommand, answered: (item: unknown) => StoredAnswer): Promise<unknown> =>
  answerOnce(service, { tenant: caller.tenant, route, request, reply }, async (tx) => {
    const at = service.clock.now();
    const command = commandAt(at);
    await service.log.execute(tx, [instruct(itemDecider, command, contextOfCaller(caller, at))]);
    return answered(itemToApi(await wantedItem(tx, command.kind, command.key)));
  });

/** The controller of a kind: make, list, get, change its name and metadata, archive and restore. */
export const itemsController = <Spec extends { readonly key: string }>({ kind, path, name, shape, references, created: madeOf, answer }: CatalogKind<Spec>): Type => {
  const ROUTE = `/api/v1/billing/${path}`;
  const ITEM = object({ ...COMMON, ...answer });
  const CHANGE = itemChange('description' in answer);

  @ApiTags('billing')
  @Controller(ROUTE.slice(1))
  class ItemsController {
    constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

    @Post()
    @Allow('billing:write')
    @ApiBody({ schema: shape.json })
    @Answers(ITEM, 201)
    async create(@Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
      const spec = wanted(readAll(shape, body));
      await refuseUnknownReferences(this.host.service, caller.tenant, references(spec));
      const { key } = spec;
      return changeItem(this.host, `POST ${ROUTE}`, caller, request, reply, (at) => ({ type: 'CreateItem', kind, key, created: madeOf(spec, at), at }), (made) => created(`${ROUTE}/${key}`, made));
    }

    @Get()
    @Allow('billing:read')
    @AnswersPage(ITEM)
    list(@Query() query: CatalogQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
      const filters = { kind, archived: query.archived === true ? undefined : 'false' };
      return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows(tx, { model: itemsModel, query, cursors: this.cursors, order: 'oldest', filters, toApi: itemToApi }));
    }

    @Get(':key')
    @Allow('billing:read')
    @Answers(ITEM)
    get(@Param('key') key: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
      return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => itemToApi(await wantedItem(tx, kind, key)));
    }

    @Patch(':key')
    @Allow('billing:write')
    @ApiBody({ schema: CHANGE.json })
    @Answers(ITEM)
    patch(@Param('key') key: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
      const change = wanted(readAll(CHANGE, body));
      return changeItem(this.host, `PATCH ${ROUTE}/{key}`, caller, request, reply, (at) => ({ ...change, type: 'ChangeItem', kind, key, at }), ok);
    }

    @Post(':key/archive')
    @HttpCode(200)
    @Allow('billing:write')
    @Answers(ITEM)
    archive(@Param('key') key: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
      return changeItem(this.host, `POST ${ROUTE}/{key}/archive`, caller, request, reply, (at) => ({ type: 'ArchiveItem', kind, key, at }), ok);
    }

    @Post(':key/restore')
    @HttpCode(200)
    @Allow('billing:write')
    @Answers(ITEM)
    restore(@Param('key') key: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
      return changeItem(this.host, `POST ${ROUTE}/{key}/restore`, caller, request, reply, (at) => ({ type: 'RestoreItem', kind, key, at }), ok);
    }
  }
  // Operation ids are made of the name.
  Object.defineProperty(ItemsController, 'name', { value: name });
  return ItemsController;
};
