import { isFromClients, TOPICS, type Topic } from '@valueverse/contracts';

const DAY_MS = 86_400_000;
/** How long usage envelopes stay in their topic. */
export const TRANSPORT_RETENTION_MS = 7 * DAY_MS;
/** A consumer that was away for a weekend must find what it has not read. */
const TRANSPORT_RETENTION_MIN_MS = 3 * DAY_MS;
const KEY_COMPACTION_LAG_MAX_MS = DAY_MS;
/** A single fact may be as large as this. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

/** What clients have compressed the broker keeps as it is without: this reader knows one of the four ways to compress, and the limit of a record would be one of what it looks like when it is compressed. */
const PLAIN = { name: 'compression.type', value: 'uncompressed' };

/** The settings that a topic is made with. */
export const topicConfig = (topic: Topic, replication: number): { name: string; value: string }[] => [
  ...(isFromClients(topic) ? [PLAIN] : []),
  { name: 'max.message.bytes', value: String(RECORD_BYTES_MAX) },
  { name: 'min.insync.replicas', value: String(Math.min(2, replication)) },
  { name: 'unclean.leader.election.enable', value: 'false' },
  ...(TOPICS[topic].kind === 'keys'
    ? [{ name: 'cleanup.policy', value: 'compact' }, { name: 'max.compaction.lag.ms', value: String(KEY_COMPACTION_LAG_MAX_MS) }]
    : [{ name: 'cleanup.policy', value: 'delete' }, { name: 'retention.ms', value: TOPICS[topic].kind === 'facts' ? '-1' : String(TRANSPORT_RETENTION_MS) }, { name: 'retention.bytes', value: '-1' }]),
];

/** What a topic's settings must not be, because facts or keys would be lost. */
export const topicFault = (topic: Topic, replication: number, settings: ReadonlyMap<string, string>): string | undefined => {
  const { kind } = TOPICS[topic];
  if (Number(settings.get('min.insync.replicas')) < Math.min(2, replication)) return `min.insync.replicas has to be at least ${Math.min(2, replication)}: with fewer a record that was acknowledged is lost with one broker`;
  if (settings.get('unclean.leader.election.enable') === 'true') return 'unclean.leader.election.enable has to be false: a broker that is behind would drop records';
  if (isFromClients(topic) && settings.get(PLAIN.name) !== PLAIN.value) return `${PLAIN.name} has to be ${PLAIN.value}: a client that compresses in another way would stop its reader`;
  if (Number(settings.get('max.message.bytes')) < RECORD_BYTES_MAX) return `max.message.bytes has to be at least ${RECORD_BYTES_MAX}: a larger fact would stop its relay`;
  if (kind === 'keys') {
    if (settings.get('cleanup.policy') !== 'compact') return 'cleanup.policy has to be compact';
    return Number(settings.get('max.compaction.lag.ms')) > KEY_COMPACTION_LAG_MAX_MS ? `max.compaction.lag.ms has to be at most ${KEY_COMPACTION_LAG_MAX_MS}` : undefined;
  }
  if (settings.get('cleanup.policy') !== 'delete') return 'cleanup.policy has to be delete: compaction would drop facts';
  const retention = Number(settings.get('retention.ms'));
  if (kind === 'facts' && retention !== -1) return 'retention.ms has to be -1: facts are kept for ever';
  if (kind === 'transport' && retention !== -1 && retention < TRANSPORT_RETENTION_MIN_MS) return `retention.ms has to be at least ${TRANSPORT_RETENTION_MIN_MS}`;
  return undefined;
};
