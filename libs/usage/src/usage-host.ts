import type { IdSource } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';
import { Ingest } from './ingest/ingest';
import type { UsageMeter } from './usage-meter';
import { EventTail } from './events/event-tail';
import { Radius } from './radius/radius';
import { CopyUsageReader } from './query/usage-reader';

/** What metering's controllers work with. */
export class UsageHost {
  readonly ingest: Ingest;
  readonly reader: CopyUsageReader;
  readonly radius: Radius;
  readonly tail: EventTail;

  constructor(readonly service: Service, readonly ids: IdSource, secretsKey: Buffer, meter?: UsageMeter) {
    this.ingest = new Ingest(service.feed, ids, meter);
    this.radius = new Radius(service, ids, this.ingest, secretsKey);
    this.tail = new EventTail(service.database, service.logger);
    this.reader = new CopyUsageReader(service.database, service.feed, () => service.clock.now());
  }

  /** Reads rows of one tenant from one snapshot. */
  read<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.service.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, work);
  }
}
