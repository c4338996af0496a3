// Imported by specs only; lint refuses it elsewhere.
export { following, given, type Given, type Outcome, type Reactions } from './given';
export { describeOnKafka, kafkaForTests, type KafkaForTests } from './kafka';
export { noteNotRun } from './not-run';
export { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from './otlp-receiver';
export * from './oracle';
export { createEmptyDatabase, createTestDatabase, type TestDatabase } from './postgres';
export { eventually, type ProbeOptions } from './probe';
export { describeOnRedis, redisForTests, type RedisForTests } from './redis';
export { isNightly, runs, timeForRuns } from './runs';
export { type Explained, rowsOf } from './explained';
