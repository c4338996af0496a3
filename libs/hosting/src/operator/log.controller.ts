import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { verifyChain } from '@valueverse/event-log';
import { Allow } from '@valueverse/auth';
import { Text, Whole, type Service } from '@valueverse/platform';
import { findingsOf, type Finding } from './checks';
import { OPERATED, operatedService, type Operated } from './operated';
import { outboxOf } from './outbox';

const PARTITION_MAX = 1_023;
class ResumeBody {
  @Text({ description: 'The consumer, as the log names it' }) consumer!: string;
  @Text({ optional: true }) topic?: string;
  @Whole({ optional: true, min: 0, max: PARTITION_MAX }) partition?: number;
}

interface ReaderRow { consumer: string; topic: string; partition: number; owner: string | null; epoch: bigint; next_offset: bigint; halted: string | null }
interface ParkedRow { consumer: string; tenant: string; stream: string; reason: string; records: bigint }

/** The log of the services of this process, for whoever runs the installation. */
@ApiTags('operator')
@Controller('api/v1/operator/log')
@Allow('operator')
export class LogController {
  constructor(@Inject(OPERATED) private readonly operated: Operated) {}

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
    const { facts, faults, heads } = await verifyChain(this.find(name).database, await this.operated.anchors.read(name));
    return { service: name, intact: faults.length === 0, facts, partitions: heads.length, faults: faults.map((fault) => ({ ...fault, position: String(fault.position) })) };
  }

  /** What is committed and not published yet: how much, since when, and which process has the relay until when. */
  @Get(':service/outbox')
  async outbox(@Param('service') name: string): Promise<unknown> { return outboxOf(this.find(name)); }

  /** Lets readers that stopped go on from where they stand, after the cause was mended. Answers how many were released. */
  @Post(':service/readers/resume')
  @HttpCode(200)
  async resume(@Param('service') name: string, @Body() { consumer, topic, partition }: ResumeBody): Promise<{ resumed: number }> {
    const { rowCount } = await this.find(name).database.transaction({ role: 'worker' }, (tx) => tx.query(
      'UPDATE checkpoints SET halted = NULL WHERE halted IS NOT NULL AND consumer = $1 AND ($2::text IS NULL OR topic = $2) AND ($3::int IS NULL OR partition = $3)', [consumer, topic ?? null, partition ?? null]));
    return { resumed: rowCount ?? 0 };
  }

  /** Looks at this service from inside for what is wrong, and names the next command for each finding. */
  @Get(':service/checks')
  async checks(@Param('service') name: string): Promise<{ data: readonly Finding[] }> { return { data: await findingsOf(this.find(name), this.operated) }; }

  private find(name: string): Service { return operatedService(this.operated, name); }
}
