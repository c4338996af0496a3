// What it costs to take usage in where the keys of 35 days are known, against where only today's are.
import { pairs } from '../pairs.mjs';
import { UsageBed } from './bed.mjs';
import { Traffic } from './traffic.mjs';

/** Events of a batch, and batches of a round: a reader does not rest between two of them. */
const [EVENTS, BATCHES] = [16_000, 4];
const [DAYS, SLOTS] = [35, 64];
const DAY_MS = 86_400_000;

/** Keys of earlier days, as so many events would have left them. They are written in the order of the key: that changes nothing for who looks them up, and is quicker here. */
async function fillDays(bed, days, keysPerDay, say) {
  const today = Math.floor(Date.now() / DAY_MS);
  for (let day = today - days; day < today; day++) {
    const slot = day % SLOTS;
    await bed.client.query('INSERT INTO usage_key_days VALUES ($1, $2)', [slot, day]);
    await bed.client.query(`INSERT INTO usage_keys_${slot} (slot, partition, nth, key, content, position) SELECT ${slot}, 0, 0, key, 0, 1 FROM (SELECT gen_random_uuid() AS key FROM generate_series(1, $1::int)) k ORDER BY key`, [keysPerDay]);
    say?.(`${(day - today + days + 1) * keysPerDay} keys are stored`);
  }
  await bed.client.query('VACUUM ANALYZE usage_keys');
}

/** `keys` over 34 earlier days and today, against the same share of them today alone. */
export async function compareDedupe({ seconds, rounds, seed, keys, say }) {
  const perDay = Math.ceil(keys / DAYS);
  const [full, lone] = [await UsageBed.start(), await UsageBed.start()];
  try {
    await fillDays(full, DAYS - 1, perDay, say);
    const sides = await Promise.all([[full, 'full'], [lone, 'lone']].map(async ([bed, run]) => {
      const traffic = new Traffic({ seed, run });
      await bed.meetAll(traffic);
      return { prepare: async () => Array.from({ length: BATCHES }, () => bed.records(traffic, EVENTS)), round: async (batches) => { await bed.meter(...batches); return BATCHES * EVENTS; } };
    }));
    return await pairs({ seconds, rounds, seed, pids: [process.pid], ours: sides[0], others: { 'one day': sides[1] } });
  } finally {
    await full.stop();
    await lone.stop();
  }
}
