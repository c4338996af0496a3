import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { Service } from './service';

/**
 * The reading side of services as a Nest transport: connected to an application like any microservice, it starts with it and stops before it
 * closes. Dispatch is not Nest's: each service's consumers have checkpoints of their own and are given records in batches, in order.
 */
export class FeedTransport extends Server implements CustomTransportStrategy {
  constructor(private readonly services: readonly Service[]) { super(); }

  listen(callback: (error?: unknown) => void): void {
    try {
      for (const service of this.services) service.start();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  async close(): Promise<void> { await Promise.all(this.services.map((service) => service.stopWork())); }

  /** Nothing is bound here: what a consumer reports goes to its service's log. */
  override on(): void { /* No events of the transport are offered. */ }
  override unwrap<T>(): T { return this.services as T; }
}
