import type { IdSource } from '@valueverse/kernel';
import { SealedSecrets } from '@valueverse/platform';
import type { Service } from '@valueverse/platform';
import type { Ingest } from '../ingest/ingest';
import type { Rejections } from '../rejections/rejections';
import { Accounting } from './accounting';
import { KnownClients } from './clients';
import { Deliveries } from './deliveries';
import { UdpServer, type RadiusAddress } from './udp-server';

/** RADIUS accounting of a service: its clients, the socket where packets come in, and what brings their usage to the feed. */
export class Radius {
  readonly secrets: SealedSecrets;
  readonly accounting: Accounting;
  private readonly server: UdpServer;
  private readonly deliveries: Deliveries;

  constructor(private readonly service: Service, readonly ids: IdSource, ingest: Ingest, { secretsKey, rejections }: { readonly secretsKey: Buffer; readonly rejections: Rejections }) {
    const { database, clock, logger, metrics, fanOut } = service;
    const now = (): string => clock.now();
    this.secrets = new SealedSecrets(secretsKey);
    const clients = new KnownClients(database, this.secrets, (client, cause) => logger.error({ err: cause, client, next: `npx vv radius clients change ${client} --secret-file <file>` }, 'the secret of a RADIUS client cannot be opened with this master key'));
    fanOut.listen('radius clients', clients.forget);
    this.deliveries = new Deliveries(database, ingest, now, logger);
    this.accounting = new Accounting(database, clients, this.deliveries, ids, { now, rejected: ({ tenant }, { code, detail }, sender) => rejections.note(tenant, [{ via: 'radius', code, detail, sender }]) });
    this.server = new UdpServer({ accounting: this.accounting, logger, metrics });
  }

  /** Tells every process that the clients are others now. */
  readonly clientsChanged = (): void => this.service.fanOut.tell('radius clients');

  /** Takes packets from now on; answers the port. Fails with `PortTaken`. */
  listen(address: RadiusAddress): Promise<number> { return this.server.listen(address); }

  /** What was planned is brought to the feed also where no packets are taken: it may be of a process that did. */
  start(): void { this.deliveries.start(); }
  async stop(): Promise<void> {
    await this.server.close();
    await this.deliveries.stop();
  }
}
