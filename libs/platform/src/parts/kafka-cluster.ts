import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from './free-ports';
import { kafkaClasses } from './kafka-classes';
import { startPart, type PartProcess } from './part-process';

export interface KafkaClusterOptions {
  /** Where Maven put the jars: see `findKafka`. */
  readonly jars: string;
  /** Everything of the brokers is in here, a folder each; data that is there is gone on with. */
  readonly folder: string;
  /** Three keep each record on three of them, and take it while two of them live. */
  readonly brokers: 1 | 3;
  /** The port of each broker on 127.0.0.1; free ones when they are not given. */
  readonly ports?: readonly number[];
  /** Ports under which clients are told to come, one a broker: of something that stands before them. */
  readonly advertised?: readonly number[];
  /** The data is for this process only: it is removed when the brokers end. */
  readonly disposable?: boolean;
}

/** One broker, which is also a controller of the cluster. */
export interface KafkaNode {
  readonly id: number;
  readonly port: number;
  /** Of its present run, or of its last one. */
  readonly process: PartProcess;
  /** Starts it again on its data and its port, after it ended. */
  restart(): Promise<void>;
}
export interface KafkaCluster {
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaNode[];
  stop(): Promise<void>;
}

interface Place { readonly id: number; readonly folder: string; readonly port: number; readonly controllerPort: number; readonly innerPort: number; readonly advertisedPort: number }

const CLUSTER_ID = 'dmFsdWV2ZXJzZS1sb2NhbA';
/** For clients, for the other brokers, for the controllers. */
const PORTS_PER_BROKER = 3;
const FORMAT_TIMEOUT_MS = 60_000;
const LIGHT_JAVA = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** Starts brokers on local Java and returns when all of them serve. */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<KafkaCluster> {
  return startNodes(options, await kafkaClasses(options.jars, startNodes));
}

async function startNodes(options: KafkaClusterOptions, java: readonly string[]): Promise<KafkaCluster> {
  const { folder, brokers, ports = [], advertised = [] } = options;
  const free = await freePorts(PORTS_PER_BROKER * brokers);
  const places = Array.from({ length: brokers }, (_, nth): Place => {
    const port = ports[nth] ?? free.pop()!;
    return { id: nth + 1, folder: join(folder, `broker-${nth + 1}`), port, controllerPort: free.pop()!, innerPort: free.pop()!, advertisedPort: advertised[nth] ?? port };
  });
  const started = await Promise.allSettled(places.map((place) => startNode(place, places, options, java)));
  const nodes = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => {
    // What goes with its brokers need not be handed over to others, written out and closed.
    if (options.disposable) for (const node of nodes) node.process.signal('SIGKILL');
    await Promise.all(nodes.map((node) => node.process.stop()));
    if (options.disposable) rmSync(folder, { recursive: true, force: true });
  };
  const failed = started.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return { brokers: places.map(({ advertisedPort }) => `127.0.0.1:${advertisedPort}`), nodes, stop };
}

const STARTS_MAX = 3;
const START_PAUSE_MS = 500;
/** Broker and controller of one process start side by side, and one may find the other not there yet or already gone; a free port may be taken between our look and the broker's. */
const WORTH_ANOTHER_START = /"raftManager" is null|Address already in use/;

async function startNode(place: Place, all: readonly Place[], options: KafkaClusterOptions, flags: readonly string[]): Promise<KafkaNode> {
  const { folder, id, port } = place;
  mkdirSync(folder, { recursive: true });
  const properties = join(folder, 'server.properties');
  const logging = join(folder, 'log4j2.properties');
  writeFileSync(properties, serverProperties(place, all));
  writeFileSync(logging, LOGGING);
  const java = [...LIGHT_JAVA, ...flags, '-cp', join(options.jars, '*'), `-Dlog4j2.configurationFile=${logging}`];
  if (!existsSync(join(folder, 'data', 'meta.properties'))) await format([...java, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties]);
  const startOnce = (): Promise<PartProcess> => startPart({
    name: `Kafka broker ${id}`, command: 'java', args: ['-Xmx512m', ...java, 'kafka.Kafka', properties], logFile: join(folder, 'kafka.log'),
    isReady: (written) => written.includes('Kafka Server started'), ...(options.disposable ? { disposableFolder: folder } : {}),
  });
  const start = async (): Promise<PartProcess> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await startOnce();
      } catch (error) {
        if (attempt === STARTS_MAX || !WORTH_ANOTHER_START.test(String(error))) throw error;
        await pause(START_PAUSE_MS * attempt);
      }
    }
  };
  let running = await start();
  return {
    id, port,
    get process() { return running; },
    restart: async () => {
      await running.whenEnded;
      running = await start();
    },
  };
}

const format = (args: readonly string[]): Promise<void> => new Promise((resolve, reject) => {
  execFile('java', ['-Xmx128m', ...args], { timeout: FORMAT_TIMEOUT_MS }, (error, stdout, stderr) => {
    if (error) reject(new Error(`Kafka's folder could not be formatted: ${stdout}${stderr}`, { cause: error }));
    else resolve();
  });
});

/** Settings of a broker: small for one machine, and with three copies nothing that was acknowledged may be lost with one of them. */
const serverProperties = ({ id, folder, port, controllerPort, innerPort, advertisedPort }: Place, all: readonly Place[]): string => {
  const copies = all.length;
  const written = Math.min(2, copies);
  return `
process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${all.map((other) => `${other.id}@127.0.0.1:${other.controllerPort}`).join(',')}
listeners=CLIENT://127.0.0.1:${port},BROKER://127.0.0.1:${innerPort},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=CLIENT://127.0.0.1:${advertisedPort},BROKER://127.0.0.1:${innerPort}
listener.security.protocol.map=CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs=${join(folder, 'data')}
auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor=${copies}
min.insync.replicas=${written}
offsets.topic.replication.factor=${copies}
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=${copies}
transaction.state.log.min.isr=${written}
transaction.state.log.num.partitions=5
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
`;
};

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
