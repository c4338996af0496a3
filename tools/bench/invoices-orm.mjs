// The peer: what one writes with an ORM. One transaction an invoice, its number from a row that is locked, `save()` of the invoice with its lines, their tax and their steps.
// As a `writer` it does nothing else. As a `whole` it does what an invoice run is asked for: it reads the subscription with its account, its plan and the rates of tax, puts the fact into an outbox and the subscription to its next period in the same
// transaction; a relay passes facts on, and two services keep what they need of each, once, in a transaction of its own.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { DataSource, EntitySchema, IsNull, MoreThan } = require('typeorm');

const SCHEMA = 'orm';
const [CONNECTIONS, WORKERS] = [12, 8];
const SUBSCRIPTIONS = 5_000;
const BATCH = 100;
const LOOK_EVERY_MS = 100;
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
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

const text = { type: 'text' };
const Plan = new EntitySchema({ name: 'plan', columns: { key: { ...text, primary: true }, currency: text }, relations: { charges: { type: 'one-to-many', target: 'charge', inverseSide: 'plan', cascade: true } } });
const Charge = new EntitySchema({ name: 'charge', columns: { key: { ...text, primary: true }, name: text, unitAmount: { type: 'numeric' }, quantity: { type: 'numeric' } }, relations: { plan: { type: 'many-to-one', target: 'plan', inverseSide: 'charges' } } });
const Account = new EntitySchema({ name: 'account', columns: { id: { ...text, primary: true }, name: text, country: text, balance: amount } });
const Subscription = new EntitySchema({
  name: 'subscription', columns: { id: { ...text, primary: true }, periodFrom: { type: 'timestamptz' }, periodTo: { type: 'timestamptz' } },
  relations: { account: { type: 'many-to-one', target: 'account' }, plan: { type: 'many-to-one', target: 'plan' } },
});
const TaxRate = new EntitySchema({ name: 'tax_rate', columns: { key: { ...text, primary: true }, country: text, rate: { type: 'numeric' } } });
const fact = { type: text, payload: { type: 'jsonb' } };
const Outbox = new EntitySchema({ name: 'outbox', columns: { id: { type: 'int', primary: true, generated: 'increment' }, ...fact, sentAt: { type: 'timestamptz', nullable: true } } });
const Feed = new EntitySchema({ name: 'feed', columns: { position: { type: 'int', primary: true, generated: 'increment' }, ...fact } });
const Handled = new EntitySchema({ name: 'handled', columns: { consumer: { ...text, primary: true }, position: { type: 'int', primary: true } } });
const Kept = new EntitySchema({ name: 'kept', columns: { consumer: { ...text, primary: true }, invoiceId: { ...text, primary: true }, accountId: text, number: text, amountDue: amount, dueAt: { type: 'timestamptz' } } });

const lineOf = ({ key: chargeKey, name: description, quantity, unitAmount }, rate, from, to) => {
  const net = quantity * unitAmount;
  return {
    chargeKey, description, quantity, amount: net.toFixed(2), taxAmount: (net * rate / 100).toFixed(2), periodFrom: from, periodTo: to,
    steps: [{ kind: 'unit', quantity: String(quantity), unitAmount: unitAmount.toFixed(2), amount: net.toFixed(2) }], taxes: [{ key: 'vat', rate, base: net.toFixed(2), amount: (net * rate / 100).toFixed(2) }],
  };
};

const CHARGES = Array.from({ length: LINES }, (_, nth) => ({ key: `charge-${nth}`, name: `Charge ${nth}`, quantity: nth + 1, unitAmount: nth + 1.99 }));
const RATE = 19;

/** The invoice of a subscription, as it is saved. */
const invoiceOf = ({ subscriptionId, accountId, charges, rate, number, from, to }) => {
  const lines = charges.map((charge) => lineOf(charge, rate, from, to));
  const [net, tax] = ['amount', 'taxAmount'].map((name) => lines.reduce((sum, line) => sum + Number(line[name]), 0));
  return {
    tenant: 'org_1:test', number, accountId, subscriptionId, currency: 'EUR', status: 'finalized', issuedAt: to, dueAt: to,
    subtotal: net.toFixed(2), taxTotal: tax.toFixed(2), total: (net + tax).toFixed(2), totalSteps: [{ kind: 'subtotal', amount: net.toFixed(2) }, { kind: 'tax', rate, amount: tax.toFixed(2) }], lines,
  };
};

const nextNumber = async (manager) => {
  const series = await manager.findOne('series', { where: { key: 'INV' }, lock: { mode: 'pessimistic_write' } });
  series.last++;
  await manager.save('series', series);
  return `INV-${String(series.last).padStart(6, '0')}`;
};

const PERIOD = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z')];
const DAY_MS = 86_400_000;
const later = (instant) => new Date(instant.getTime() + DAY_MS);

const writeOne = (orm, nth) => orm.transaction(async (manager) => {
  await manager.save('invoice', invoiceOf({ subscriptionId: `sub_${nth}`, accountId: `acc_${nth % 100}`, charges: CHARGES, rate: RATE, number: await nextNumber(manager), from: PERIOD[0], to: PERIOD[1] }));
});

const billOne = (orm, nth) => orm.transaction(async (manager) => {
  const subscription = await manager.findOne('subscription', { where: { id: `sub_${nth % SUBSCRIPTIONS}` }, relations: { account: true, plan: { charges: true } } });
  const { account, plan, periodFrom: from, periodTo: to } = subscription;
  const [{ rate }] = await manager.find('tax_rate', { where: { country: account.country } });
  const charges = plan.charges.map((charge) => ({ ...charge, quantity: Number(charge.quantity), unitAmount: Number(charge.unitAmount) }));
  const invoice = await manager.save('invoice', invoiceOf({ subscriptionId: subscription.id, accountId: account.id, charges, rate: Number(rate), number: await nextNumber(manager), from, to }));
  await manager.save('subscription', { id: subscription.id, periodFrom: to, periodTo: later(to) });
  // What others are told is the invoice without what only explains it, as lines refer back to their invoice.
  const { lines, ...told } = invoice;
  await manager.save('outbox', { type: 'invoice.finalized', payload: { ...told, lines: lines.map(({ invoice: _, taxes, ...line }) => ({ ...line, taxes: taxes.map(({ line: __, ...tax }) => tax) })) } });
});

/** Passes on what is in the outbox, for as long as `isOver` says no or something is left. */
const relay = async (orm, isOver) => {
  for (;;) {
    const over = isOver();
    const found = await orm.manager.find('outbox', { where: { sentAt: IsNull() }, order: { id: 'ASC' }, take: BATCH });
    if (found.length === 0 && over) return;
    await orm.transaction(async (manager) => {
      await manager.save('feed', found.map(({ type, payload }) => ({ type, payload })));
      await manager.save('outbox', found.map((one) => ({ ...one, sentAt: new Date() })));
    });
    if (found.length === 0) await sleep(LOOK_EVERY_MS);
  }
};

/** One service: each fact in a transaction of its own, and once. */
const consume = async (orm, consumer, isOver) => {
  for (let after = (await orm.manager.maximum('handled', 'position', { consumer })) ?? 0; ;) {
    const over = isOver();
    const found = await orm.manager.find('feed', { where: { position: MoreThan(after) }, order: { position: 'ASC' }, take: BATCH });
    for (const { position, payload } of found) {
      await orm.transaction(async (manager) => {
        await manager.insert('handled', { consumer, position });
        await manager.save('kept', { consumer, invoiceId: payload.id, accountId: payload.accountId, number: payload.number, amountDue: payload.total, dueAt: payload.dueAt });
      });
      after = position;
    }
    if (found.length === 0 && over) return;
    if (found.length === 0) await sleep(LOOK_EVERY_MS);
  }
};

const prepare = async (orm) => {
  await orm.getRepository('series').save({ key: 'INV', last: 0 });
  await orm.getRepository('tax_rate').save({ key: 'vat', country: 'DE', rate: RATE });
  await orm.getRepository('plan').save({ key: 'bench', currency: 'EUR', charges: CHARGES });
  const accounts = Array.from({ length: SUBSCRIPTIONS / 10 }, (_, nth) => ({ id: `acc_${nth}`, name: `Customer ${nth}`, country: 'DE', balance: 0 }));
  await orm.getRepository('account').save(accounts);
  await orm.getRepository('subscription').save(Array.from({ length: SUBSCRIPTIONS }, (_, nth) => ({ id: `sub_${nth}`, periodFrom: PERIOD[0], periodTo: PERIOD[1], account: accounts[nth % accounts.length], plan: { key: 'bench' } })));
};

/** Invoices a second, for so many seconds, on the server of `url`, by one that only writes or does the whole. The rate of the whole is that of what was told to everybody. The CPU is that of the server and of this process. */
export async function ormRate(url, { seconds, does }, cpuOfServer) {
  const cpu = () => { const { user, system } = process.cpuUsage(); return cpuOfServer() + (user + system) / 1e6; };
  const first = await new DataSource({ type: 'postgres', url }).initialize();
  await first.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
  await first.query(`CREATE SCHEMA ${SCHEMA}`);
  await first.destroy();
  const entities = [Series, Invoice, Line, Tax, Plan, Charge, Account, Subscription, TaxRate, Outbox, Feed, Handled, Kept];
  const orm = await new DataSource({ type: 'postgres', url, schema: SCHEMA, entities, synchronize: true, extra: { max: CONNECTIONS } }).initialize();
  try {
    await prepare(orm);
    const one = does === 'whole' ? billOne : writeOne;
    let count = 0;
    const work = async (ends) => {
      const over = { billing: false, relay: false };
      const bill = async () => { await Promise.all(Array.from({ length: WORKERS }, async () => { while (performance.now() < ends) await one(orm, count++); })); over.billing = true; };
      const pass = async () => { await relay(orm, () => over.billing); over.relay = true; };
      const others = does === 'whole' ? [pass(), ...['payments', 'notifications'].map((name) => consume(orm, name, () => over.relay))] : [];
      await Promise.all([bill(), ...others]);
    };
    await work(performance.now() + seconds * 250);
    const [warm, before, began] = [count, cpu(), performance.now()];
    await work(began + seconds * 1_000);
    const [took, made] = [(performance.now() - began) / 1_000, count - warm];
    const [{ gaps, untold }] = await orm.query(`SELECT ((SELECT max(last) FROM ${SCHEMA}.series) - count(*))::int AS gaps, (count(*) * 2 - (SELECT count(*) FROM ${SCHEMA}.kept))::int AS untold FROM ${SCHEMA}.invoice`);
    if (gaps !== 0) throw new Error(`the numbers of the peer have ${gaps} gaps`);
    if (does === 'whole' && untold !== 0) throw new Error(`${untold} invoices of the peer were not told`);
    return { perSecond: made / took, cpuMs: ((cpu() - before) * 1_000) / made };
  } finally {
    await orm.destroy();
  }
}
