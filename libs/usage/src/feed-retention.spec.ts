import { eventually } from '@valueverse/testing';
import { AT, Bed, SECOND } from './bed.spec-kit';
import { FeedRetention } from './feed-retention';
import { usageParts } from './usage.context';

const DAY_MS = 86_400_000;
const event = (id: string): { id: string; source: string; type: string; subject: string; time: string } => ({ id, source: 'gateway', type: 'call', subject: 'acme', time: AT(Number(id) * SECOND) });

test('usage that every reader has passed goes from the feed after a day; the copy has it, and reading goes on', async () => {
  const bed = await Bed.make();
  try {
    const retention = new FeedRetention({ database: bed.database, feed: bed.feed, consumers: usageParts(bed).consumers, failed: () => undefined });
    const kept = async (): Promise<number> => Number((await bed.rows<{ count: bigint }>(`SELECT count(*) FROM feed.records WHERE topic = 'usage.events'`, [], true))[0]!.count);
    const copied = async (count: number): Promise<true> => eventually(`${count} envelopes in the copy`, async () => (Number((await bed.rows<{ count: bigint }>('SELECT count(*) FROM usage_envelopes'))[0]!.count) === count ? true : undefined));
    for (const id of ['1', '2']) await bed.send([event(id)]);
    // Nobody has read them yet.
    await bed.rows(`UPDATE feed.records SET appended_at = appended_at - interval '2 days'`, [], true);
    expect(await retention.drop()).toBe(0);
    bed.start();
    await copied(2);
    await bed.send([event('3')]);
    await copied(3);
    // The third was appended just now.
    expect(await retention.drop()).toBe(2);
    expect(await retention.drop()).toBe(0);
    expect(await kept()).toBe(1);
    await bed.send([event('4')]);
    await copied(4);
    expect(await retention.drop(2 * DAY_MS)).toBe(0);
    expect(bed.alarms).toEqual([]);
    await expect(bed.feed.forget('billing.invoices', new Map([[0, 1n]]), 0)).rejects.toThrow('kept for ever');
  } finally {
    await bed.close();
  }
}, 30_000);
