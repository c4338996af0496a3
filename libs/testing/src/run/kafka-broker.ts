import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
// Jest loads this file without its module map, so the neighbour is named by its place.
// eslint-disable-next-line @nx/enforce-module-boundaries
import { endWithParent } from '../../../platform/src/postgres/end-with-parent';
// eslint-disable-next-line @nx/enforce-module-boundaries
import { freePort } from '../../../platform/src/postgres/embedded-postgres';

/** How a broker can be had on this machine, or why none can. */
export type KafkaFound =
  | { readonly how: 'given'; readonly brokers: readonly string[] }
  | { readonly how: 'java'; readonly jars: string }
  | { readonly how: 'docker' }
  | { readonly how: 'none'; readonly reason: string };

/** A broker for the length of a run. */
export interface KafkaBroker {
  readonly brokers: readonly string[];
  stop(): Promise<void>;
}

const VERSION = '4.3.1';
const JAVA_VERSION_MIN = 17;
const PROBE_TIMEOUT_MS = 5_000;
const FETCH_TIMEOUT_MS = 180_000;
const FORMAT_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 25;
const REASON_CHARACTERS_MAX = 1_500;
const CLUSTER_ID = 'dmFsdWV2ZXJzZS10ZXN0cw';
const CONTAINER_PORT = 9092;

/** Looks in this order: KAFKA_BROKERS, Java with the jars that Maven puts into the cache, Docker. */
export function findKafka(): KafkaFound {
  const given = process.env['KAFKA_BROKERS'];
  if (given) return { how: 'given', brokers: given.split(',').map((broker) => broker.trim()) };
  const java = findJava();
  if ('jars' in java) return { how: 'java', jars: java.jars };
  const docker = spawnSync('docker', ['info'], { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS });
  if (docker.status === 0) return { how: 'docker' };
  return { how: 'none', reason: `no Kafka: KAFKA_BROKERS is not set, ${java.reason}, and Docker does not answer` };
}

function findJava(): { jars: string } | { reason: string } {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  if (java.status !== 0) return { reason: 'Java is not installed' };
  const version = Number(/version "(\d+)/.exec(java.stderr)?.[1] ?? 0);
  if (version < JAVA_VERSION_MIN) return { reason: `Java is ${version} and Kafka needs ${JAVA_VERSION_MIN}` };
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const home = join(cache, 'valueverse', `kafka-${VERSION}`);
  const jars = join(home, 'libs');
  if (existsSync(jars)) return { jars };
  if (spawnSync('mvn', ['--version'], { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status !== 0) {
    return { reason: `Kafka's jars are not in the cache and Maven is not installed` };
  }
  return fetchJars(home) ? { jars } : { reason: 'Maven could not fetch the jars of Kafka' };
}

function fetchJars(home: string): boolean {
  // Fetched beside its place and then renamed, so that a fetch that was cut off is not taken for a whole one.
  const unfinished = `${home}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, 'pom.xml'), POM);
  process.stderr.write(`fetching Kafka ${VERSION} with Maven, once for this machine\n`);
  const maven = spawnSync('mvn', ['-B', '-q', 'dependency:copy-dependencies'], { cwd: unfinished, stdio: 'ignore', timeout: FETCH_TIMEOUT_MS });
  if (maven.status === 0 && existsSync(join(unfinished, 'libs'))) {
    try {
      rmSync(home, { recursive: true, force: true });
      renameSync(unfinished, home);
    } catch {
      // Another run was first.
    }
  }
  rmSync(unfinished, { recursive: true, force: true });
  return existsSync(join(home, 'libs'));
}

/** Starts a broker in the way that was found. */
export async function startKafka(found: KafkaFound): Promise<KafkaBroker> {
  switch (found.how) {
    case 'given': return { brokers: found.brokers, stop: async () => undefined };
    case 'java': return startJava(found.jars);
    case 'docker': return startContainer();
    case 'none': throw new Error(found.reason);
  }
}

async function startJava(jars: string): Promise<KafkaBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'vv-kafka-'));
  const port = await freePort();
  const properties = join(folder, 'server.properties');
  const logging = join(folder, 'log4j2.properties');
  writeFileSync(properties, serverProperties(folder, port, await freePort()));
  writeFileSync(logging, LOGGING);
  const classpath = ['-cp', join(jars, '*'), `-Dlog4j2.configurationFile=${logging}`];
  const format = spawnSync('java', ['-Xmx128m', '-XX:TieredStopAtLevel=1', ...classpath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties],
    { encoding: 'utf8', timeout: FORMAT_TIMEOUT_MS });
  if (format.status !== 0) throw new Error(`Kafka's folder could not be formatted: ${(format.stdout + format.stderr).slice(-REASON_CHARACTERS_MAX)}`);
  const logFile = join(folder, 'kafka.log');
  const log = openSync(logFile, 'a');
  const child = spawn('java', ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...classpath, 'kafka.Kafka', properties],
    { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const unwatch = endWithParent(child.pid ?? 0, 'TERM', folder);
  const ended = new Promise<void>((resolve) => { child.once('exit', () => { unwatch(); resolve(); }); });
  await untilStarted(child, logFile);
  child.unref();
  return { brokers: [`127.0.0.1:${port}`], stop: () => stopJava(child, ended, folder) };
}

async function untilStarted(child: ChildProcess, logFile: string): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!readFileSync(logFile, 'utf8').includes('Kafka Server started')) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`Kafka did not start: ${readFileSync(logFile, 'utf8').slice(-REASON_CHARACTERS_MAX)}`);
    }
    await pause(POLL_MS);
  }
}

async function stopJava(child: ChildProcess, ended: Promise<void>, folder: string): Promise<void> {
  child.kill('SIGTERM');
  const stopped = new AbortController();
  const tooLong = pause(STOP_TIMEOUT_MS, undefined, { signal: stopped.signal }).then(() => child.kill('SIGKILL'), () => undefined);
  await ended;
  stopped.abort();
  await tooLong;
  rmSync(folder, { recursive: true, force: true });
}

async function startContainer(): Promise<KafkaBroker> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await freePort();
  const container = await new GenericContainer(`apache/kafka:${VERSION}`)
    .withExposedPorts({ container: CONTAINER_PORT, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1', KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: `PLAINTEXT://:${CONTAINER_PORT},CONTROLLER://:9093`, KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093', KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false', KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1', KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '5',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1', KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1', KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(READY_TIMEOUT_MS)
    .start();
  return { brokers: [`127.0.0.1:${port}`], stop: async () => { await container.stop(); } };
}

const serverProperties = (folder: string, port: number, controllerPort: number) => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=${join(folder, 'log')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
`;

const LOGGING = `
status=error
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=OUT
logger.server.name=kafka.server
logger.server.level=info
`;

const POM = `<?xml version="1.0" encoding="UTF-8"?>
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.valueverse</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
    <configuration><outputDirectory>\${project.basedir}/libs</outputDirectory><includeScope>runtime</includeScope></configuration>
  </plugin></plugins></build>
</project>
`;
