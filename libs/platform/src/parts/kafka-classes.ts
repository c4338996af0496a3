import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KafkaCluster, KafkaClusterOptions } from './kafka-cluster';

type Start = (options: KafkaClusterOptions, java: readonly string[]) => Promise<KafkaCluster>;

const NAME_CHARACTERS = 12;
let java: string | undefined;
/** An archive is for one Java only. */
const thisJava = (): string => (java ??= createHash('sha256').update(spawnSync('java', ['-version'], { encoding: 'utf8' }).stderr).digest('hex').slice(0, NAME_CHARACTERS));

/**
 * The flags with which a broker finds its classes as Java keeps them in memory: it starts in a third of the time and of the work. The archive is
 * made once for this machine, beside the jars, by a broker that starts and ends. Where that fails there are no flags.
 */
export async function kafkaClasses(jars: string, start: Start): Promise<readonly string[]> {
  const home = dirname(jars);
  const archive = join(home, `classes-${thisJava()}.jsa`);
  if (!existsSync(archive)) await makeArchive(jars, archive, start).catch(() => undefined);
  return existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
}

async function makeArchive(jars: string, archive: string, start: Start): Promise<void> {
  const folder = mkdtempSync(`${archive}.`);
  try {
    const unfinished = join(folder, 'classes.jsa');
    // Whoever formats the folder writes one too; the broker, which ends last, replaces it.
    const cluster = await start({ jars, folder, brokers: 1 }, [`-XX:ArchiveClassesAtExit=${unfinished}`]);
    await cluster.stop();
    renameSync(unfinished, archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
