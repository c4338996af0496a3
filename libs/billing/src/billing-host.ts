import type { BillingReader, ServiceReports, UsageReader } from '@valueverse/contracts';
import type { Service } from '@valueverse/platform';
import type { TaxEngine } from './taxes/tax-engine';
import { StoredBillingReader } from './subscriptions/stored-billing-reader';

/** What billing's controllers and jobs work with. */
export class BillingHost {
  /** What metering may ask. */
  readonly reader: BillingReader;

  constructor(
    readonly service: Service,
    /** Metering's live numbers, for previews and proofs; nothing that is billed comes this way. */
    readonly usage: UsageReader,
    /** Says which taxes lines have. */
    readonly taxes: TaxEngine,
    /** Every service's word on test clocks, billing's own among them. */
    readonly reports: () => readonly ServiceReports[],
  ) { this.reader = new StoredBillingReader(service.database); }
}
