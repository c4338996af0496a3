import { Body, Controller, Get, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { anything, flag, list, object, oneOf, optional, text } from '@valueverse/contracts';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, Flag, ok } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { exportedCatalog, fileReferences, holdCatalog, instructionsOf, knownCatalog } from './apply-catalog';
import { catalogFile, compareCatalog, FILE_LISTS, type CatalogComparison, type CatalogFile } from './domain/catalog-file';
import { readAll } from './domain/shape';
import { refuseFaults, wanted } from './items.controller';
import { FIELD_CHANGES, PLAN_DIFF } from './plan-answers';
import { unknownReferences, valueFaults } from './references';

class ApplyQuery {
  @Flag({ optional: true, fromText: true, description: 'Only say what would be done' }) dryRun?: boolean;
}
const KIND = oneOf('product', 'feature', 'tax_rate', 'coupon', 'add_on', 'plan');
const APPLIED = object({
  applied: flag(), onlyHere: list(object({ kind: KIND, key: text() })),
  changes: list(object({ action: oneOf('create', 'add_version', 'change', 'restore'), kind: KIND, key: text(), pointer: text(), fields: optional(FIELD_CHANGES), diff: optional(PLAN_DIFF) })),
});

/** The catalogue as a file, as it is kept beside code. */
@ApiTags('billing')
@Controller('api/v1/billing/catalog')
export class CatalogController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost) {}

  /** What is there and not archived: plans as their latest versions say. Applied again it changes nothing. */
  @Get()
  @Allow('billing:read')
  @Answers(anything())
  export(@CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => exportedCatalog(await knownCatalog(tx, tenant)));
  }

  /**
   * Makes the catalogue as the file says, all of it or nothing: what is not there is made, plans that say something else get a new version, names and metadata are changed, what is archived is
   * restored. What is only here stays, and is named. 400 with every fault by a pointer into the file, among them `never_changes` and what is named and not there.
   */
  @Post('apply')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: catalogFile.json })
  @Answers(APPLIED)
  async apply(@Body() body: unknown, @Query() { dryRun = false }: ApplyQuery, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const file = wanted(readAll(catalogFile, body));
    const { service } = this.host;
    const { tenant } = caller;
    await this.refuse(tenant, file);
    if (dryRun) return this.answer(await this.compare(tenant, file), false);
    return answerOnce(service, { tenant, route: 'POST /api/v1/billing/catalog/apply', request, reply }, async (tx) => {
      await holdCatalog(tx, tenant);
      const compared = compareCatalog(file, await knownCatalog(tx, tenant));
      refuseFaults(compared.faults);
      const instructions = instructionsOf(file, compared.changes, contextOfCaller(caller, service.clock.now()));
      if (instructions.length > 0) await service.log.execute(tx, instructions);
      return ok(this.answer(compared, true));
    });
  }

  private compare(tenant: string, file: CatalogFile): Promise<CatalogComparison> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => compareCatalog(file, await knownCatalog(tx, tenant)));
  }

  /** What cannot be done, and what is named and is neither there nor in the file. */
  private async refuse(tenant: string, file: CatalogFile): Promise<void> {
    const { changes, faults } = await this.compare(tenant, file);
    const references = fileReferences(file, changes);
    const inFile = new Map((file.features ?? []).map((feature) => [feature.key, feature.type]));
    const made = new Set(FILE_LISTS.flatMap(([name, kind]) => (file[name] ?? []).map(({ key }: { key: string }) => `${kind}/${key}`)));
    const unknown = await unknownReferences(this.host.service, tenant, references, made);
    refuseFaults([...faults, ...unknown.map(({ pointer, code, detail }) => ({ pointer, code, detail })), ...valueFaults(references, inFile)]);
  }

  private answer({ changes, onlyHere }: CatalogComparison, applied: boolean): unknown { return { applied, changes, onlyHere }; }
}
