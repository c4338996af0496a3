import { Database } from '@valueverse/event-log';
import type { Clock } from '@valueverse/kernel';
import { migrate, systemClock } from '@valueverse/platform';
import { createTestDatabase } from '@valueverse/testing';
import type { PaymentProvider } from '../provider';
import { sandboxProvider, Sandbox } from './sandbox';
import type { Fault } from './sandbox-faults';
import { SANDBOX_BOOK, SANDBOX_TABLES } from './sandbox-tables';

const SCHEMA = 'sandbox';
const TIMEOUT_MS = 2_000;

/** A sandbox by itself, on a socket and a database of its own. */
export class SandboxBed {
  private constructor(readonly sandbox: Sandbox, readonly provider: PaymentProvider, readonly url: string, private readonly end: () => Promise<void>) {}

  static async make(clock: Clock = systemClock): Promise<SandboxBed> {
    const test = await createTestDatabase(async (url) => {
      const fresh = new Database({ url, schema: SCHEMA });
      await migrate(fresh, [SCHEMA], [SANDBOX_BOOK, SANDBOX_TABLES]);
      await fresh.close();
    }, 'sandbox provider');
    const database = new Database({ url: test.url, schema: SCHEMA });
    const sandbox = new Sandbox(database, clock);
    sandbox.start();
    const end = async (): Promise<void> => { await sandbox.stop(); await database.close(); await test.drop(); };
    return new SandboxBed(sandbox, sandboxProvider(sandbox, TIMEOUT_MS), await sandbox.url, end);
  }
  fault(tenant: string, fault: Fault): Promise<unknown> { return this.sandbox.control(tenant, 'faults', fault); }
  close(): Promise<void> { return this.end(); }
}
