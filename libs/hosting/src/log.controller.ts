import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { AnchorStore } from '@valueverse/event-log';
import { verifyChain } from '@valueverse/event-log';
import { Allow } from '@valueverse/auth';
import { Problem, type Service } from '@valueverse/platform';

export const LOG_SERVICES = Symbol('LogServices');
export const LOG_ANCHORS = Symbol('LogAnchors');

interface ReaderRow { consumer: string; topic: string; partition: number; owner: string | null; epoch: bigint; next_offset: bigint; halted: string | null }
interface ParkedRow { consumer: string; tenant: string; stream: string; reason: string; records: bigint }

/** The log of the services of this process, for whoever runs the installation. */
@ApiTags('operator')
@Controller('api/v1/operator/log')
@Allow('operator')
export class LogController {
  constructor(@Inject(LOG_SERVICES) private readonly services: readonly Service[], @Inject(LOG_ANCHORS) private readonly anchors: AnchorStore) {}

  /** Facts that are not in the feed yet; readers, which process has each of their partitions since which epoch, and how far they are behind; streams that were set aside. */
  @Get(':service')
  async status(@Param('service') name: string): Promise<unknown> {
    const service = this.find(name);
    const found = await service.database.transaction({ role: 'worker', readOnly: true }, async (tx) => ({
      unpublished: (await tx.query<{ facts: bigint }>('SELECT coalesce(sum(h.position - r.position), 0)::bigint AS facts FROM heads h JOIN relay_partitions r USING (partition)')).rows[0]!.facts,
      readers: (await tx.query<ReaderRow>('SELECT consumer, topic, partition, owner, epoch, next_offset, halted FROM checkpoints ORDER BY 1, 2, 3')).rows,
      parked: (await tx.query<ParkedRow>(
        `SELECT s.consumer, s.tenant, s.stream, s.reason, (SELECT count(*) FROM parked_records r WHERE (r.consumer, r.tenant, r.stream) = (s.consumer, s.tenant, s.stream)) AS records
         FROM parked_streams s ORDER BY 1, 2, 3`)).rows,
    }));
    const ends = await service.feed.ends(found.readers.map(({ topic, partition }) => ({ topic: topic as never, partition })));
    return {
      service: name, unpublished: Number(found.unpublished), parked: found.parked.map((row) => ({ ...row, records: Number(row.records) })),
      readers: found.readers.map(({ consumer, topic, partition, owner, epoch, next_offset: next, halted }) =>
        ({ consumer, topic, partition, owner, epoch: Number(epoch), behind: Number((ends.get(`${topic}/${partition}`) ?? next) - next), halted })),
    };
  }

  /** Recomputes the hash chain from the texts of the facts and compares it with the heads that were kept outside the database. */
  @Post(':service/verify')
  @HttpCode(200)
  async verify(@Param('service') name: string): Promise<unknown> {
    const { facts, faults, heads } = await verifyChain(this.find(name).database, await this.anchors.read(name));
    return { service: name, intact: faults.length === 0, facts, partitions: heads.length, faults: faults.map((fault) => ({ ...fault, position: String(fault.position) })) };
  }

  private find(name: string): Service {
    const service = this.services.find((candidate) => candidate.name === name);
    if (service === undefined) throw new Problem(404, 'service_not_found', `this process has no service ${name}; it has ${this.services.map((candidate) => candidate.name).join(', ')}`);
    return service;
  }
}
