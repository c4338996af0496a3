import type { ServiceName, Topic } from './event-definition';

/** What one service can say about one test clock, read from its database at one moment. Positions are decimal strings. */
export interface ClockReport {
  readonly service: ServiceName;
  /** The clock's time as this service knows it; absent while it has not heard of the clock. */
  readonly now?: string;
  /** The last fact of this clock per topic and partition of this service's store. */
  readonly appended: readonly { topic: Topic; partition: number; position: string }[];
  /** Store partition -> position up to which its facts are in the feed. */
  readonly relayed: Readonly<Record<string, string>>;
  /** `topic/partition` -> position up to which every consumer of this service has handled it. Absent for topics that it does not read. */
  readonly consumed: Readonly<Record<string, string>>;
  /** Jobs of this clock that are due and not done. */
  readonly openJobs: number;
  /** What those jobs wait for, for people. */
  readonly waitingFor: readonly string[];
  /** The next instant at which a job of this clock falls due. */
  readonly nextDue?: string;
}

/** Asked by the one who needs to know that something has reached every service: the test clock, and whoever issues credentials. */
export interface ServiceReports {
  readonly service: ServiceName;
  clock(tenant: string, clockId: string): Promise<ClockReport>;
  /** Whether every consumer of the topic in this service has passed the position. */
  hasConsumed(topic: Topic, partition: number, position: bigint): Promise<boolean>;
  /** Whether everything that this service had committed when it was asked is in the feed; waits for that a moment. */
  hasPublished(): Promise<boolean>;
}
