// A fifth service in plain kafkajs and pg: keeps what was invoiced and paid, by tenant and currency, from the facts in `billing.invoices`.
// It imports nothing of ValueVerse. docs/fifth-service.md says why each step is as it is.
//   KAFKA_BROKERS=127.0.0.1:9092 DATABASE_URL=postgres://... node docs/examples/invoice-totals.mjs
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

const TOPIC = 'billing.invoices';
const GROUP = 'example.invoice-totals';
const SCHEMA = `
CREATE TABLE IF NOT EXISTS checkpoints (partition int PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE IF NOT EXISTS invoices (tenant text NOT NULL, invoice text NOT NULL, currency text NOT NULL, total numeric NOT NULL, paid boolean NOT NULL DEFAULT false, PRIMARY KEY (tenant, invoice));`;

/** What to do with a record, from its headers and the position of the last one that was handled. */
export function judge(last, { ce_position: position, ce_previous: previous }) {
  if (BigInt(position) <= last) return 'seen'; // Whoever publishes may send again after a lost answer.
  return BigInt(previous) === last ? 'next' : 'missing';
}

/** Both versions of this fact have these fields. */
const finalized = (client, { tenant, data }) => client.query(
  'INSERT INTO invoices (tenant, invoice, currency, total) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [tenant, data.invoiceId, data.currency, data.total]);

/** The facts that this service understands. Of others, and of fields that it does not know, it knows nothing and goes on. */
const EFFECTS = {
  'dev.valueverse.billing.invoice.finalized.v1': finalized,
  'dev.valueverse.billing.invoice.finalized.v2': finalized,
  'dev.valueverse.billing.invoice.paid.v1': (client, { tenant, data }) => client.query('UPDATE invoices SET paid = true WHERE tenant = $1 AND invoice = $2', [tenant, data.invoiceId]),
};
const FAMILIES = new Set(Object.keys(EFFECTS).map((type) => type.replace(/\.v\d+$/, '')));

async function handle(client, partition, messages) {
  await client.query('BEGIN');
  try {
    await client.query('INSERT INTO checkpoints VALUES ($1, 0) ON CONFLICT DO NOTHING', [partition]);
    // The lock is the fence: of two readers that both believe to own the partition, the second waits here and then finds everything seen.
    const { rows: [checkpoint] } = await client.query('SELECT position FROM checkpoints WHERE partition = $1 FOR UPDATE', [partition]);
    let last = BigInt(checkpoint.position);
    for (const message of messages) {
      const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
      const verdict = judge(last, headers);
      if (verdict === 'seen') continue;
      if (verdict === 'missing') throw new Error(`${TOPIC}/${partition}: a record is missing between ${last} and ${headers.ce_position}; nothing is counted until somebody has looked`);
      const fact = JSON.parse(String(message.value));
      const effect = EFFECTS[fact.type];
      if (effect === undefined && FAMILIES.has(fact.type.replace(/\.v\d+$/, ''))) throw new Error(`${fact.type} is a version that this service cannot read`);
      await effect?.(client, fact);
      last = BigInt(headers.ce_position);
    }
    await client.query('UPDATE checkpoints SET position = $2 WHERE partition = $1', [partition, String(last)]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

export async function start({ brokers, databaseUrl, namespace = '' }) {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  await pool.query(SCHEMA);
  const consumer = new Kafka({ clientId: GROUP, brokers, logLevel: logLevel.ERROR }).consumer({ groupId: namespace + GROUP });
  await consumer.connect();
  await consumer.subscribe({ topics: [namespace + TOPIC], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
      const client = await pool.connect();
      try {
        await handle(client, batch.partition, batch.messages);
      } finally {
        client.release();
      }
      // Only a hint where to begin next time, and only after the commit: the position in the database decides.
      resolveOffset(batch.lastOffset());
      await commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: String(BigInt(batch.lastOffset()) + 1n) }] }] });
    },
  });
  return async () => { await consumer.disconnect(); await pool.end(); };
}

if (process.argv[1]?.endsWith('invoice-totals.mjs')) {
  start({ brokers: process.env.KAFKA_BROKERS.split(','), databaseUrl: process.env.DATABASE_URL, namespace: process.env.KAFKA_NAMESPACE }).then((stop) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => { stop().then(() => process.exit(0), () => process.exit(1)); });
  });
}
