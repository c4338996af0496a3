import type { SealedSecrets } from '@valueverse/platform';
import { Refused } from '@valueverse/kernel';
import type { Database, Tx } from '@valueverse/event-log';
import type { SubjectAttribute } from './domain/accounting';
import { contains, networkText, parseNetwork, type Network } from './domain/network';

/** A NAS, or a network of them, that a tenant expects packets from. Its secret is never told again. */
export interface RadiusClient {
  readonly id: string;
  readonly name: string;
  /** An IP address, or a network in CIDR notation. */
  readonly address: string;
  readonly subjectAttribute: SubjectAttribute;
  /** Only packets that carry this NAS-Identifier; null: whatever they carry. */
  readonly nasIdentifier: string | null;
  readonly createdAt: string;
}
/** What is stored; a change leaves out what stays. */
export interface ClientChange { readonly address?: string; readonly nasIdentifier?: string | null; readonly subjectAttribute?: SubjectAttribute; readonly secret?: string }

/** A client as packets are held against it. */
export interface KnownClient {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly network: Network;
  readonly nasIdentifier: string;
  readonly subjectAttribute: SubjectAttribute;
  readonly secret: Buffer;
}

export const CLIENTS_MAX = 1_000;
/** How long a process believes what it read: the bound on a change that it has not heard of. */
const REMEMBERED_MS = 2_000;
const UNIQUE_VIOLATION = '23505';

interface Row { tenant: string; client: string; name: string; address: string; nas_identifier: string; secret: Buffer; subject_attribute: SubjectAttribute; created_at: bigint }

/** The one text of an address or network. Refuses with `invalid_address`. */
export const addressText = (text: string): string => {
  const network = parseNetwork(text);
  if (network === undefined) throw new Refused('invalid_address', 'an IP address or a network such as 192.0.2.0/24 is expected', '/address');
  return networkText(network);
};

const refusingTaken = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    const { code, constraint } = error as { code?: string; constraint?: string };
    if (code !== UNIQUE_VIOLATION) throw error;
    if (constraint?.includes('name') === true && !constraint.includes('address')) throw new Refused('radius_client_exists', 'there is a client of this name', '/name');
    throw new Refused('radius_address_taken', 'another client has this address and NAS-Identifier', '/address');
  }
};

/** Makes a client. Refuses with `radius_client_exists`, `radius_address_taken`, `invalid_address`, `too_many_radius_clients`. */
export const insertClient = async (tx: Tx, tenant: string, id: string, client: Required<ClientChange> & { readonly name: string }, createdAt: number, secrets: SealedSecrets): Promise<void> => {
  const { rows } = await tx.query<{ count: bigint }>('SELECT count(*) FROM usage_radius_clients WHERE tenant = $1', [tenant]);
  if (rows[0]!.count >= BigInt(CLIENTS_MAX)) throw new Refused('too_many_radius_clients', `there are at most ${CLIENTS_MAX} clients; a network in CIDR notation is one`);
  await refusingTaken(tx.query(
    'INSERT INTO usage_radius_clients (tenant, client, name, address, nas_identifier, secret, subject_attribute, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    [tenant, id, client.name, addressText(client.address), client.nasIdentifier ?? '', secrets.seal(tenant, id, client.secret), client.subjectAttribute, createdAt]));
};

/** Changes what is given. Answers whether there is such a client. Refuses with `radius_address_taken`, `invalid_address`. */
export const updateClient = async (tx: Tx, tenant: string, id: string, change: ClientChange, secrets: SealedSecrets): Promise<boolean> => {
  const { rowCount } = await refusingTaken(tx.query(
    `UPDATE usage_radius_clients SET address = coalesce($3, address), nas_identifier = coalesce($4, nas_identifier), subject_attribute = coalesce($5, subject_attribute), secret = coalesce($6, secret)
     WHERE tenant = $1 AND client = $2`,
    [tenant, id, change.address === undefined ? null : addressText(change.address), change.nasIdentifier === undefined ? null : change.nasIdentifier ?? '', change.subjectAttribute ?? null,
      change.secret === undefined ? null : secrets.seal(tenant, id, change.secret)]));
  return rowCount === 1;
};

export const deleteClient = async (tx: Tx, tenant: string, id: string): Promise<boolean> =>
  (await tx.query('DELETE FROM usage_radius_clients WHERE tenant = $1 AND client = $2', [tenant, id])).rowCount === 1;

/** Clients of the tenant of the transaction by name, after one of them. `id` narrows to one. */
export const clientRows = async (tx: Tx, tenant: string, given: { readonly id?: string; readonly after?: string; readonly limit: number }): Promise<Row[]> => {
  const { rows } = await tx.query<Row>(
    'SELECT * FROM usage_radius_clients WHERE tenant = $1 AND ($2::text IS NULL OR client = $2) AND name > $3 ORDER BY name LIMIT $4', [tenant, given.id ?? null, given.after ?? '', given.limit]);
  return rows;
};
export type ClientRow = Row;

/** The clients of all tenants as packets are held against them. A change is heard of at once where it was made, and everywhere within two seconds. */
export class KnownClients {
  private list: readonly KnownClient[] = [];
  private until = 0;
  private looking: Promise<void> | undefined;

  /** `unreadable` is told of a client whose secret cannot be opened: it gets no answers, the others do. `nowMs` only has to grow. */
  constructor(private readonly database: Database, private readonly secrets: SealedSecrets, private readonly unreadable: (client: string, cause: unknown) => void, private readonly nowMs: () => number = () => performance.now()) {}

  readonly forget = (): void => { this.until = 0; };

  /**
   * Who may have sent a packet from this address with this NAS-Identifier: the narrowest network first, one that names the NAS before one that does not. There may be several, of one tenant
   * or of many, because networks overlap and addresses behind them are nobody's for ever: the secret says whose packet it is.
   */
  async sendersAt(source: string, nasIdentifier: string | undefined): Promise<readonly KnownClient[]> {
    if (this.nowMs() >= this.until) await (this.looking ??= this.look().finally(() => { this.looking = undefined; }));
    const address = parseNetwork(source);
    if (address === undefined) return [];
    return this.list.filter((client) => contains(client.network, address) && (client.nasIdentifier === '' || client.nasIdentifier === nasIdentifier));
  }

  private async look(): Promise<void> {
    const until = this.nowMs() + REMEMBERED_MS;
    const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<Row>('SELECT * FROM usage_radius_clients ORDER BY created_at, tenant, client'));
    this.list = rows.flatMap((row) => this.known(row)).sort((a, b) => b.network.prefix - a.network.prefix || Number(a.nasIdentifier === '') - Number(b.nasIdentifier === ''));
    this.until = until;
  }

  private known({ tenant, client: id, name, address, nas_identifier: nasIdentifier, secret, subject_attribute: subjectAttribute }: Row): KnownClient[] {
    try {
      return [{ tenant, id, name, network: parseNetwork(address)!, nasIdentifier, subjectAttribute, secret: this.secrets.open(tenant, id, secret) }];
    } catch (error) {
      this.unreadable(id, error);
      return [];
    }
  }
}
