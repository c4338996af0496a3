import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { fingerprintOf, OneOf, Problem, readIdempotencyKey, Text, TextList, textRule } from '@valueverse/platform';
import { AdminReads } from './admin-reads';
import { IdentityService, type Made, type NewKey, type Repeatable } from './identity.service';
import type { KeyRow, OrganizationRow } from './identity.model';

const SUBJECTS_MAX = 100;

class CreateOrganizationDto {
  @Text() name!: string;
}
class CreateKeyDto {
  @OneOf(['test', 'live']) environment!: 'test' | 'live';
  @OneOf(['secret', 'ingest', 'publishable']) kind!: 'secret' | 'ingest' | 'publishable';
  @Text({ optional: true }) name?: string;
  @TextList({ optional: true, max: SUBJECTS_MAX, each: textRule(256, 1), description: 'Of a publishable key: the subjects it sends usage for' }) subjects?: string[];
}

const organizationToApi = ({ organizationId, name, createdAt }: OrganizationRow): unknown => ({ id: organizationId, name, createdAt });
const keyToApi = ({ keyId, organizationId, environment, kind, name, prefix, scopes, subjects, issuedAt, revokedAt }: KeyRow): unknown =>
  ({ id: keyId, organizationId, environment, kind, name, prefix, scopes, subjects, status: revokedAt === undefined ? 'active' : 'revoked', createdAt: issuedAt, revokedAt });
const newKeyToApi = ({ id, key, environment, kind, name, prefix, subjects }: NewKey): unknown => ({ id, key, environment, kind, name, prefix, subjects });

/** Organizations and their keys, for whoever runs the installation. */
@ApiTags('operator')
@Controller('api/v1/operator')
@Allow('operator')
export class IdentityController {
  constructor(@Inject(IdentityService) private readonly identity: IdentityService, @Inject(AdminReads) private readonly reads: AdminReads) {}

  /** The texts of the keys are shown here and never again. 202 when a service has not heard of them yet. */
  @Post('organizations')
  async createOrganization(@Body() { name }: CreateOrganizationDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { made, status, replayed } = await this.identity.createOrganization(name, caller.actor, repeatableOf(request, 'POST /api/v1/operator/organizations'));
    answer(reply, { status, replayed }, `/api/v1/operator/organizations/${made.id}`);
    return { id: made.id, name: made.name, status, keys: made.keys.map(newKeyToApi) };
  }

  @Get('organizations')
  async organizations(): Promise<unknown> { return { data: (await this.reads.organizations()).map(organizationToApi), hasMore: false, nextCursor: null }; }

  @Get('organizations/:id/keys')
  async keys(@Param('id') id: string): Promise<unknown> {
    await this.find(id);
    return { data: (await this.reads.keysOf(id)).map(keyToApi), hasMore: false, nextCursor: null };
  }

  @Post('organizations/:id/keys')
  async createKey(@Param('id') id: string, @Body() body: CreateKeyDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    await this.find(id);
    const { environment, kind, name = `${kind} key`, subjects } = body;
    if (kind !== 'publishable' && subjects !== undefined) throw new Problem(400, 'invalid_request', 'only a publishable key has subjects', { errors: [{ pointer: '/subjects', code: 'invalid_value', detail: 'only a publishable key has subjects' }] });
    const wanted = { organizationId: id, environment, kind, name, ...(kind === 'publishable' ? { subjects: subjects ?? [] } : {}) };
    const { made, status, replayed } = await this.identity.createKey(wanted, caller.actor, repeatableOf(request, 'POST /api/v1/operator/organizations/{id}/keys'));
    answer(reply, { status, replayed }, `/api/v1/operator/organizations/${id}/keys`);
    return { ...(newKeyToApi(made) as object), status };
  }

  @Delete('keys/:id')
  @HttpCode(200)
  async revoke(@Param('id') id: string, @CurrentCaller() caller: Caller): Promise<unknown> {
    return { id, status: (await this.identity.revokeKey(id, caller.actor)) === 'ready' ? 'revoked' : 'revoking' };
  }

  private async find(id: string): Promise<OrganizationRow> {
    const row = await this.reads.organization(id);
    if (row === undefined) throw new Problem(404, 'organization_not_found', `there is no organization ${id}`);
    return row;
  }
}

const repeatableOf = (request: FastifyRequest, route: string): Repeatable => {
  const key = readIdempotencyKey(request.headers['idempotency-key']);
  const { rawBody } = request as FastifyRequest & { rawBody?: Buffer };
  return key === undefined ? undefined : { route, key, fingerprint: fingerprintOf({ method: request.method, url: request.url, ...(rawBody === undefined ? {} : { rawBody }) }) };
};

const answer = (reply: FastifyReply, { status, replayed }: Pick<Made<unknown>, 'status' | 'replayed'>, location: string): void => {
  void reply.code(status === 'ready' ? 201 : 202).header('Location', location);
  if (replayed) void reply.header('Idempotency-Replayed', 'true');
};
