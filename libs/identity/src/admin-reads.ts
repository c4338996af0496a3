import { DataSource, EntitySchema } from 'typeorm';
import { roleName } from '@valueverse/event-log';
import type { KeyRow, OrganizationRow } from './identity.model';

interface Stored<Row> { tenant: string; key: string; sortBy: string; row: Row }
const stored = <Row>(table: string, columns: Record<string, { type: 'text'; name: string }> = {}): EntitySchema<Stored<Row> & Record<string, unknown>> => new EntitySchema({
  name: table, tableName: table,
  columns: { tenant: { type: 'text', primary: true }, key: { type: 'text', primary: true }, sortBy: { type: 'text', name: 'sort_by' }, row: { type: 'json' }, ...columns } as never,
});
const organizations = stored<OrganizationRow>('organizations');
const keys = stored<KeyRow>('api_keys', { organizationId: { type: 'text', name: 'organization_id' } });

const POOL_SIZE = 2;
const ROWS_MAX = 1_000;

/** What an operator lists: over all tenants, so as the role `worker`, and read only. */
export class AdminReads {
  private readonly source: DataSource;
  private ready: Promise<DataSource> | undefined;

  constructor(url: string) {
    this.source = new DataSource({
      type: 'postgres', url, schema: 'identity', entities: [organizations, keys], synchronize: false, poolSize: POOL_SIZE,
      // An empty criterion would match every row: it is an error.
      invalidWhereValuesBehavior: { null: 'throw', undefined: 'throw' },
      extra: { options: `-c role=${roleName('billing', 'worker')} -c search_path=identity -c default_transaction_read_only=on` },
    });
  }

  async organizations(): Promise<OrganizationRow[]> {
    const rows = await (await this.open()).getRepository(organizations).find({ order: { sortBy: 'ASC', key: 'ASC' }, take: ROWS_MAX });
    return rows.map(({ row }) => row);
  }

  async organization(id: string): Promise<OrganizationRow | undefined> {
    return (await (await this.open()).getRepository(organizations).findOneBy({ key: id }))?.row;
  }

  async keysOf(organizationId: string): Promise<KeyRow[]> {
    const rows = await (await this.open()).getRepository(keys).find({ where: { organizationId }, order: { sortBy: 'ASC', key: 'ASC' }, take: ROWS_MAX });
    return rows.map(({ row }) => row);
  }

  async close(): Promise<void> { if (this.ready !== undefined) await (await this.ready).destroy(); }

  /** A database that does not answer now may answer later: a failure is not kept. */
  private open(): Promise<DataSource> {
    return this.ready ??= this.source.initialize().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
  }
}
