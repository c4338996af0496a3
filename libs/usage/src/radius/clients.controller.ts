import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instantFromMicros, microsNumberOfText } from '@valueverse/kernel';
import { instant, nullable, object, oneOf, text } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, created, Cursors, Key, OneOf, type Page, PageQuery, Problem, Text } from '@valueverse/platform';
import { UsageHost } from '../usage-host';
import { clientRows, deleteClient, insertClient, updateClient, type ClientRow, type RadiusClient } from './clients';
import { SUBJECT_ATTRIBUTES, type SubjectAttribute } from './domain/accounting';

const NAME_LENGTH_MAX = 64;
const ADDRESS_LENGTH_MAX = 64;
const SECRET_LENGTH_MAX = 256;
/** An attribute has at most so many octets. */
const NAS_IDENTIFIER_LENGTH_MAX = 253;
/** RFC 2865, section 3 asks for a secret that is as hard to guess as a good password; shorter ones are found from a single packet. */
const SECRET_LENGTH_MIN = 8;

const ADDRESS = 'An IP address, or a network in CIDR notation';
const SECRET = 'What the NAS signs its packets with; never shown again';
const SUBJECT = 'The attribute that names the subject of the usage';
const NAS_IDENTIFIER = 'Only packets that carry this NAS-Identifier';

export class CreateRadiusClientDto {
  @Key({ description: 'How it is called; part of the `source` of its events, so it stays', example: 'bng-1' }) name!: string;
  @Text({ max: ADDRESS_LENGTH_MAX, description: ADDRESS, example: '192.0.2.0/24' }) address!: string;
  @Text({ min: SECRET_LENGTH_MIN, max: SECRET_LENGTH_MAX, description: SECRET }) secret!: string;
  @OneOf(SUBJECT_ATTRIBUTES, { optional: true, description: `${SUBJECT}; User-Name, if not given` }) subjectAttribute?: SubjectAttribute;
  @Text({ optional: true, max: NAS_IDENTIFIER_LENGTH_MAX, description: NAS_IDENTIFIER }) nasIdentifier?: string;
}
export class ChangeRadiusClientDto {
  @Text({ optional: true, max: ADDRESS_LENGTH_MAX, description: ADDRESS }) address?: string;
  @Text({ optional: true, min: SECRET_LENGTH_MIN, max: SECRET_LENGTH_MAX, description: SECRET }) secret?: string;
  @OneOf(SUBJECT_ATTRIBUTES, { optional: true, description: SUBJECT }) subjectAttribute?: SubjectAttribute;
  @Text({ optional: true, nullable: true, max: NAS_IDENTIFIER_LENGTH_MAX, description: `${NAS_IDENTIFIER}; null: all` }) nasIdentifier?: string | null;
}

const CLIENT = object({ id: text(), name: text(), address: text(), subjectAttribute: oneOf(...SUBJECT_ATTRIBUTES), nasIdentifier: nullable(text()), createdAt: instant() });
const ROUTE = '/api/v1/usage/radius/clients';

const toApi = (row: ClientRow): RadiusClient => ({
  id: row.client, name: row.name, address: row.address, subjectAttribute: row.subject_attribute, nasIdentifier: row.nas_identifier === '' ? null : row.nas_identifier, createdAt: instantFromMicros(row.created_at),
});
const notFound = (id: string): Problem => new Problem(404, 'radius_client_not_found', `there is no client ${id}`);

const wantedClient = async (tx: Tx, tenant: string, id: string): Promise<RadiusClient> => {
  const [row] = await clientRows(tx, tenant, { id, limit: 1 });
  if (row === undefined) throw notFound(id);
  return toApi(row);
};

/** Who may send RADIUS accounting packets: a packet's address and NAS-Identifier name its tenant, the secret proves it. */
@ApiTags('usage')
@Controller('api/v1/usage/radius/clients')
export class RadiusClientsController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** Refuses with `radius_client_exists`, `radius_address_taken`, `invalid_address`, `too_many_radius_clients`. */
  @Post()
  @Allow('usage:write')
  @Answers(CLIENT, 201)
  create(@Body() body: CreateRadiusClientDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    mayConfigure(caller);
    if (body.name.length > NAME_LENGTH_MAX) throw new Problem(400, 'invalid_request', 'the request is not well formed', { errors: [{ pointer: '/name', code: 'too_long', detail: `at most ${NAME_LENGTH_MAX} characters` }] });
    const { tenant } = caller;
    const { service, radius } = this.host;
    return answerOnce(service, { tenant, route: `POST ${ROUTE}`, request, reply }, async (tx) => {
      const id = radius.ids.next('rac');
      const { name, address, secret, subjectAttribute = 'User-Name', nasIdentifier = null } = body;
      await insertClient(tx, tenant, id, { name, address, secret, subjectAttribute, nasIdentifier }, microsNumberOfText(service.clock.now()), radius.secrets);
      tx.afterCommit(radius.clientsChanged);
      return created(`${ROUTE}/${id}`, await wantedClient(tx, tenant, id));
    });
  }

  @Get()
  @Allow('usage:read')
  @AnswersPage(CLIENT)
  async list(@Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<RadiusClient>> {
    const list = `radius clients ${tenant}`;
    const [after = ''] = this.cursors.read(query.cursor, list) ?? [];
    const rows = await this.host.read(tenant, (tx) => clientRows(tx, tenant, { after, limit: query.limit + 1 }));
    return this.cursors.page(rows, query, list, ({ name }) => [name], toApi);
  }

  @Get(':id')
  @Allow('usage:read')
  @Answers(CLIENT)
  get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<RadiusClient> {
    return this.host.read(tenant, (tx) => wantedClient(tx, tenant, id));
  }

  /** What is not given stays. Refuses with `radius_address_taken`, `invalid_address`. */
  @Patch(':id')
  @Allow('usage:write')
  @Answers(CLIENT)
  async change(@Param('id') id: string, @Body() body: ChangeRadiusClientDto, @CurrentCaller() caller: Caller): Promise<RadiusClient> {
    mayConfigure(caller);
    const { tenant } = caller;
    const { service, radius } = this.host;
    return service.log.transact({ role: 'api', tenant, repeatable: true }, async (tx) => {
      if (!(await updateClient(tx, tenant, id, body, radius.secrets))) throw notFound(id);
      tx.afterCommit(radius.clientsChanged);
      return wantedClient(tx, tenant, id);
    });
  }

  /** Its packets are answered no more; its sessions and their usage stay. */
  @Delete(':id')
  @Allow('usage:write')
  @HttpCode(204)
  async remove(@Param('id') id: string, @CurrentCaller() caller: Caller): Promise<void> {
    mayConfigure(caller);
    const { tenant } = caller;
    const { service, radius } = this.host;
    await service.database.transaction({ role: 'api', tenant }, async (tx) => {
      if (!(await deleteClient(tx, tenant, id))) throw notFound(id);
      tx.afterCommit(radius.clientsChanged);
    });
  }
}

const mayConfigure = ({ kind }: Caller): void => {
  if (kind !== 'secret') throw new Problem(403, 'permission_missing', 'this key sends usage and does nothing else');
};
