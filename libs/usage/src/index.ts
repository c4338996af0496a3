export * from './usage.context';
export * from './usage-host';
export * from './schema';
export { Ingest, type Environment, type IngestOptions, type IngestResult } from './ingest/ingest';
export { readCloudEvents, BATCH_EVENTS_MAX, type Item, type Received } from './ingest/cloud-events';
export { IngestOverloaded } from './ingest/room';
export { METERING_CONSUMER } from './metering/metering.projector';
export { CopyUsageReader } from './query/usage-reader';
export { RemoteUsageReader } from './query/remote-reader';
