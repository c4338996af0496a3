import type { IHeaders, KafkaMessage } from 'kafkajs';
import { isFromClients, type Topic } from '@valueverse/contracts';
import { positionOfText } from '../consume/inspect';
import type { ClientRecord, FeedRecord } from './feed';

const textOf = (value: IHeaders[string]): string => (Array.isArray(value) ? String(value[0]) : String(value ?? ''));
/** Anybody may write to a topic: what is not a position is none. */
const positionsOf = (headers: Readonly<Record<string, string>>): Pick<FeedRecord, 'position' | 'previous'> => {
  const [position, previous] = [positionOfText(headers['ce_position']), positionOfText(headers['ce_previous'])];
  return position === undefined || previous === undefined ? {} : { position, previous };
};
const clientRecordOf = ({ key, value, headers = {}, timestamp }: KafkaMessage): ClientRecord => ({
  key, value, timestampMs: Number(timestamp),
  headers: Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, [values ?? []].flat().map((one) => Buffer.from(one))])),
});
/** A message as it is read. */
export const toRecord = (topic: Topic, partition: number, message: KafkaMessage): FeedRecord => {
  if (isFromClients(topic)) return { topic, partition, offset: BigInt(message.offset), key: `${partition}/${message.offset}`, value: '', headers: {}, client: clientRecordOf(message) };
  const headers = Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, value]) => [name, textOf(value)]));
  return {
    topic, partition, offset: BigInt(message.offset), key: message.key?.toString() ?? '', value: message.value?.toString() ?? '', headers,
    ...positionsOf(headers),
  };
};
