import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dockerAnswers, fetchOnce, fetchWithMaven, mavenAnswers, partCache, type MavenLibrary } from './part-cache';

/** How a broker can be had on this machine, or why none can. */
export type KafkaFound =
  | { readonly how: 'given'; readonly brokers: readonly string[] }
  | { readonly how: 'java'; readonly jars: string }
  | { readonly how: 'docker' }
  | { readonly how: 'none'; readonly reason: string };

export const KAFKA_VERSION = '4.3.1';
const LIBRARIES: readonly MavenLibrary[] = [
  { group: 'org.apache.kafka', artifact: 'kafka_2.13', version: KAFKA_VERSION },
  { group: 'org.apache.logging.log4j', artifact: 'log4j-slf4j-impl', version: '2.25.4' },
];
const JAVA_VERSION_MIN = 17;
const PROBE_TIMEOUT_MS = 5_000;

/** Looks in this order: KAFKA_BROKERS, Java with the jars that Maven puts into the cache, Docker. */
export function findKafka(): KafkaFound {
  const given = process.env['KAFKA_BROKERS'];
  if (given) return { how: 'given', brokers: given.split(',').map((broker) => broker.trim()) };
  const java = findKafkaJars();
  if ('jars' in java) return { how: 'java', jars: java.jars };
  if (dockerAnswers()) return { how: 'docker' };
  return { how: 'none', reason: `no Kafka: KAFKA_BROKERS is not set, ${java.reason}, and Docker does not answer` };
}

/** The jars of a broker and of Java clients, where there is a Java that runs them. */
export function findKafkaJars(): { readonly jars: string } | { readonly reason: string } {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  if (java.status !== 0) return { reason: 'Java is not installed' };
  const version = Number(/version "(\d+)/.exec(java.stderr)?.[1] ?? 0);
  if (version < JAVA_VERSION_MIN) return { reason: `Java is ${version} and Kafka needs ${JAVA_VERSION_MIN}` };
  const home = partCache(`kafka-${KAFKA_VERSION}`);
  const jars = join(home, 'libs');
  if (existsSync(jars)) return { jars };
  if (!mavenAnswers()) return { reason: `Kafka's jars are not in the cache and Maven is not installed` };
  process.stderr.write(`fetching Kafka ${KAFKA_VERSION} with Maven, once for this machine\n`);
  return fetchOnce(home, (folder) => fetchWithMaven(folder, 'copy', LIBRARIES)) ? { jars } : { reason: 'Maven could not fetch the jars of Kafka' };
}
