// The peer: what one writes with an ORM. One transaction an invoice, its number from a row that is locked, `save()` of the invoice with its lines, their tax and their steps.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { DataSource, EntitySchema } = require('typeorm');

const SCHEMA = 'orm';
const CONNECTIONS = 8;
const LINES = 5;
const amount = { type: 'numeric', precision: 18, scale: 2 };

const Series = new EntitySchema({ name: 'series', columns: { key: { type: 'text', primary: true }, last: { type: 'int' } } });
const Invoice = new EntitySchema({
  name: 'invoice', indices: [{ columns: ['tenant', 'accountId'] }], uniques: [{ columns: ['tenant', 'number'] }],
  columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' }, tenant: { type: 'text' }, number: { type: 'text' }, accountId: { type: 'text' }, subscriptionId: { type: 'text' }, currency: { type: 'text' }, status: { type: 'text' },
    issuedAt: { type: 'timestamptz' }, dueAt: { type: 'timestamptz' }, subtotal: amount, taxTotal: amount, total: amount, totalSteps: { type: 'jsonb' },
  },
  relations: { lines: { type: 'one-to-many', target: 'line', inverseSide: 'invoice', cascade: true } },
});
const Line = new EntitySchema({
  name: 'line', columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' }, chargeKey: { type: 'text' }, description: { type: 'text' }, quantity: { type: 'numeric' }, amount, taxAmount: amount, periodFrom: { type: 'timestamptz' }, periodTo: { type: 'timestamptz' }, steps: { type: 'jsonb' },
  },
  relations: { invoice: { type: 'many-to-one', target: 'invoice', inverseSide: 'lines' }, taxes: { type: 'one-to-many', target: 'tax', inverseSide: 'line', cascade: true } },
});
const Tax = new EntitySchema({
  name: 'tax', columns: { id: { type: 'uuid', primary: true, generated: 'uuid' }, key: { type: 'text' }, rate: { type: 'numeric' }, base: amount, amount },
  relations: { line: { type: 'many-to-one', target: 'line', inverseSide: 'taxes' } },
});

const lineOf = (nth, from, to) => {
  const [quantity, unitAmount] = [nth + 1, nth + 1.99];
  const net = quantity * unitAmount;
  return {
    chargeKey: `charge-${nth}`, description: `Charge ${nth}`, quantity, amount: net.toFixed(2), taxAmount: (net * 0.19).toFixed(2), periodFrom: from, periodTo: to,
    steps: [{ kind: 'unit', quantity: String(quantity), unitAmount: unitAmount.toFixed(2), amount: net.toFixed(2) }], taxes: [{ key: 'vat', rate: '19', base: net.toFixed(2), amount: (net * 0.19).toFixed(2) }],
  };
};

/** Invoices a second, for so many seconds, on the server of `url`. Nothing is rated, decided or told to anybody: it only writes. The CPU is that of the server and of this process. */
export async function ormRate(url, seconds, cpuOfServer) {
  const cpu = () => { const { user, system } = process.cpuUsage(); return cpuOfServer() + (user + system) / 1e6; };
  const first = await new DataSource({ type: 'postgres', url }).initialize();
  await first.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
  await first.query(`CREATE SCHEMA ${SCHEMA}`);
  await first.destroy();
  const orm = await new DataSource({ type: 'postgres', url, schema: SCHEMA, entities: [Series, Invoice, Line, Tax], synchronize: true, extra: { max: CONNECTIONS } }).initialize();
  try {
    await orm.getRepository('series').save({ key: 'INV', last: 0 });
    const [from, to] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z')];
    let count = 0;
    const one = (nth) => orm.transaction(async (manager) => {
      const series = await manager.findOne('series', { where: { key: 'INV' }, lock: { mode: 'pessimistic_write' } });
      series.last++;
      await manager.save('series', series);
      const lines = Array.from({ length: LINES }, (_, of) => lineOf(of, from, to));
      const [net, tax] = ['amount', 'taxAmount'].map((name) => lines.reduce((sum, line) => sum + Number(line[name]), 0));
      await manager.save('invoice', {
        tenant: 'org_1:test', number: `INV-${String(series.last).padStart(6, '0')}`, accountId: `acc_${nth % 100}`, subscriptionId: `sub_${nth}`, currency: 'EUR', status: 'finalized', issuedAt: to, dueAt: to,
        subtotal: net.toFixed(2), taxTotal: tax.toFixed(2), total: (net + tax).toFixed(2), totalSteps: [{ kind: 'subtotal', amount: net.toFixed(2) }, { kind: 'tax', rate: '19', amount: tax.toFixed(2) }], lines,
      });
    });
    const work = async (ends) => { await Promise.all(Array.from({ length: CONNECTIONS }, async () => { while (performance.now() < ends) await one(count++); })); };
    await work(performance.now() + seconds * 250);
    count = 0;
    const [before, began] = [cpu(), performance.now()];
    await work(began + seconds * 1_000);
    const took = (performance.now() - began) / 1_000;
    const [{ gaps }] = await orm.query(`SELECT (max(last) - (SELECT count(*) FROM ${SCHEMA}.invoice))::int AS gaps FROM ${SCHEMA}.series`);
    if (gaps !== 0) throw new Error(`the numbers of the peer have ${gaps} gaps`);
    return { perSecond: count / took, cpuMs: ((cpu() - before) * 1_000) / count };
  } finally {
    await orm.destroy();
  }
}
