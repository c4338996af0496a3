import type { BillingPeriodsQuestion, BillingReader } from '@valueverse/contracts';
import type { IdSource, Period } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { Problem, type Service } from '@valueverse/platform';
import { Ingest } from './ingest/ingest';
import type { Aside } from './ingest/set-aside';
import type { UsageMeter } from './usage-meter';
import { EventTail } from './events/event-tail';
import { Radius } from './radius/radius';
import { Rejections } from './rejections/rejections';
import { CopyUsageReader } from './query/usage-reader';

/** What metering's controllers work with. */
export class UsageHost {
  readonly ingest: Ingest;
  readonly reader: CopyUsageReader;
  readonly radius: Radius;
  readonly tail: EventTail;
  readonly rejections: Rejections;

  constructor(readonly service: Service, readonly ids: IdSource, secretsKey: Buffer, private readonly billing: () => BillingReader, { meter, aside }: { readonly meter: UsageMeter; readonly aside: Aside }) {
    this.ingest = new Ingest(service.feed, ids, meter, aside);
    this.rejections = new Rejections(service.database, () => service.clock.now(), service);
    this.radius = new Radius(service, ids, this.ingest, { secretsKey, rejections: this.rejections });
    this.tail = new EventTail(service.database, service.logger);
    this.reader = new CopyUsageReader(service.database, service.feed, () => service.clock.now());
  }

  /** The billing periods of subjects, as billing has them. Refuses with 400 and one of `BillingPeriodsRefusal`. */
  async billingPeriods(tenant: string, question: BillingPeriodsQuestion): Promise<readonly Period[]> {
    const answer = await this.billing().periods(tenant, question);
    if ('periods' in answer) return answer.periods;
    const { refused: code, detail } = answer;
    throw new Problem(400, code, detail, { errors: [{ pointer: code === 'too_many_windows' ? '/windowSize' : '/subject', code, detail }] });
  }

  /** Reads rows of one tenant from one snapshot. */
  read<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.service.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, work);
  }
}
