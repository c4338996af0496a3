import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { flag, list, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { Allow } from '@valueverse/auth';
import { Answers, OneOf } from '@valueverse/platform';
import { OPERATED, operatedService, type Operated } from './operated';
import { beginRebuild, projectionOf, projectionsOf, type Projection, type RebuildMode } from './rebuilds';

const MODES = ['compare', 'cutover'] as const;
class RebuildBody {
  @OneOf(MODES, { description: '`compare` leaves the live rows as they are; `cutover` puts what was built into their place' }) mode!: RebuildMode;
}
const REBUILD = object({
  mode: oneOf(...MODES), phase: oneOf('building', 'comparing', 'swapping', 'done', 'failed', 'abandoned'), done: whole(), total: whole(), etaSeconds: nullable(whole()),
  live: nullable(text()), rebuilt: nullable(text()), equal: nullable(flag()), error: nullable(text()), startedAt: text(),
});
const PROJECTION = object({ name: text(), kind: oneOf('stream-rows', 'projector'), version: whole(), tables: list(text()), fixed: nullable(text()), rebuild: nullable(REBUILD) });
const ACCEPTED = 202;

/** Read models of a service: built again beside the live ones, compared by their hash, put in their place. */
@ApiTags('operator')
@Controller('api/v1/operator/log/:service/projections')
@Allow('operator')
export class ProjectionsController {
  constructor(@Inject(OPERATED) private readonly operated: Operated) {}

  @Get()
  @Answers(object({ data: list(PROJECTION) }))
  async list(@Param('service') service: string): Promise<{ data: Projection[] }> { return { data: await projectionsOf(operatedService(this.operated, service)) }; }

  @Get(':name')
  @Answers(PROJECTION)
  async show(@Param('service') service: string, @Param('name') name: string): Promise<Projection> { return projectionOf(operatedService(this.operated, service), name); }

  /** Begins to build it again; writing goes on. The state is read from the projection. */
  @Post(':name/rebuild')
  @HttpCode(ACCEPTED)
  @Answers(PROJECTION, ACCEPTED)
  async rebuild(@Param('service') service: string, @Param('name') name: string, @Body() { mode }: RebuildBody): Promise<Projection> {
    const operated = operatedService(this.operated, service);
    await beginRebuild(operated, name, mode);
    return projectionOf(operated, name);
  }
}
