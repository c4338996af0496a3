import { Body, Controller, Get, HttpCode, Inject, Param, Put, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { businessAddress, flag, instant, mapOf, object, oneOf, optional, text, type BusinessAddress } from '@valueverse/contracts';
import { instruct } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, Cursors, listRows, ok, type Page, PageQuery, Problem, rowOf } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { wanted } from '../catalog/items.controller';
import { flag as flagShape, key as keyShape, metadata, object as objectShape, oneOf as oneOfShape, optional as maybe, readAll, required, text as textShape, type Shape } from '../catalog/domain/shape';
import { entitiesModel, entityDecider, type EntityRow } from './entity.model';

interface EntitySpec {
  readonly name: string; readonly address?: BusinessAddress; readonly email?: string; readonly taxId?: string; readonly numberPrefix?: string; readonly footer?: string; readonly accentColor?: string; readonly pageSize?: 'A4' | 'Letter';
  readonly language?: string; readonly isDefault?: boolean; readonly metadata?: Readonly<Record<string, string>>;
}
const PREFIX_LENGTH_MAX = 16;
const addressShape = objectShape<BusinessAddress>({
  street: maybe(textShape(512)), city: maybe(textShape()), postalCode: maybe(textShape(64)), state: maybe(textShape(64)), country: required(textShape(2, /^[A-Z]{2}$/)),
});
const entityShape: Shape<EntitySpec> = objectShape<EntitySpec>({
  name: required(textShape()), address: maybe(addressShape), email: maybe(textShape(320, /^[^\s@<>]+@[^\s@<>]+$/)), taxId: maybe(textShape(64)), numberPrefix: maybe(textShape(PREFIX_LENGTH_MAX, /^[A-Za-z0-9]+$/)), footer: maybe(textShape(1_024)),
  accentColor: maybe(textShape(7, /^#[0-9a-fA-F]{6}$/)), pageSize: maybe(oneOfShape('A4', 'Letter')), language: maybe(textShape(16, /^[a-z]{2}(-[A-Z]{2})?$/)), isDefault: maybe(flagShape()), metadata: maybe(metadata()),
});
const ENTITY = object({
  key: text(), name: text(), address: optional(businessAddress), email: optional(text()), taxId: optional(text()), numberPrefix: text(), footer: optional(text()), accentColor: optional(text()), pageSize: optional(oneOf('A4', 'Letter')),
  language: optional(text()), isDefault: flag(), metadata: mapOf(text()), definedAt: instant(),
});
const toApi = ({ entityKey, ...row }: EntityRow): unknown => ({ key: entityKey, ...row });

/** Sellers: whom invoices name, with number series of their own. An installation without any has invoices without a seller. */
@ApiTags('billing')
@Controller('api/v1/billing/entities')
export class EntitiesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** Defines a seller, or defines it anew: invoices from then on name it so. Numbers begin with its prefix, the key in capital letters if not given. */
  @Put(':key')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: entityShape.json })
  @Answers(ENTITY)
  define(@Param('key') key: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const entityKey = wanted(readAll(keyShape(), key, '/key'));
    const { numberPrefix = entityKey.replace(/[^A-Za-z0-9]/g, '').slice(0, PREFIX_LENGTH_MAX).toUpperCase(), isDefault = false, metadata: said = {}, ...spec } = wanted(readAll(entityShape, body));
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route: 'PUT /api/v1/billing/entities/{key}', request, reply }, async (tx) => {
      const at = service.clock.now();
      await service.log.execute(tx, [instruct(entityDecider, { ...spec, type: 'DefineEntity', entityKey, numberPrefix, isDefault, metadata: said, at }, contextOfCaller(caller, at))]);
      return ok(toApi((await rowOf<EntityRow>(tx, entitiesModel, entityKey))!));
    });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(ENTITY)
  list(@Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows<EntityRow, unknown>(tx, { model: entitiesModel, query, cursors: this.cursors, toApi, order: 'oldest' }));
  }

  @Get(':key')
  @Allow('billing:read')
  @Answers(ENTITY)
  async get(@Param('key') key: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const row = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<EntityRow>(tx, entitiesModel, key));
    if (row === undefined) throw new Problem(404, 'entity_not_found', `there is no billing entity ${key}`);
    return toApi(row);
  }
}
