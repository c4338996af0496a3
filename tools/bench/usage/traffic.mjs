// What clients send: usage events with duplicates, late and malformed ones among them, and what they have to come to. Pure: the same seed is the same traffic.

export const CUSTOMERS = 100_000;
export const MODELS = ['conversation-small', 'conversation-large', 'code'];
export const EVENT_TYPE = 'llm.completion';
export const METER = { key: 'tokens', eventType: EVENT_TYPE, aggregation: 'sum', valueProperty: '$.promptTokens', groupBy: { model: '$.model' }, unit: 'token' };
/** Out of 10,000 events: sent twice, hours late, without a subject. */
const SHARES = { duplicate: 200, late: 100, malformed: 50 };
const ZIPF = 1.1;
const LATE_MS = 3 * 3_600_000;
const RECENT = 4_096;

/** xorshift32: quick, and good enough to choose customers. */
export const randomOf = (seed) => {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  return () => { state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0; return state / 4_294_967_296; };
};

/** Customers by Zipf's law; `exponent` 0 is uniform. */
export const zipfOf = (count, exponent, random) => {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += 1 / (rank + 1) ** exponent;
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) { const middle = (low + high) >>> 1; if (sums[middle] < wanted) low = middle + 1; else high = middle; }
    return low;
  };
};

const textOf = (id, subject, at, model, tokens) =>
  `{"specversion":"1.0","id":"${id}","source":"gateway-eu-1","type":"${EVENT_TYPE}","subject":"${subject}","time":"${new Date(at).toISOString()}",`
  + `"data":{"promptTokens":${tokens},"completionTokens":${tokens >> 2},"model":"${model}","region":"eu-central-1","latencyMs":"${tokens / 8}"}}`;

/** Makes events as JSON text, one after the other, and counts what they have to come to. */
export class Traffic {
  oracle = { sent: 0, good: 0, duplicates: 0, malformed: 0, late: 0, total: 0, byModel: Object.fromEntries(MODELS.map((model) => [model, 0])) };
  #recent = [];

  constructor({ seed = 1, customers = CUSTOMERS, exponent = ZIPF, run = 'a', now = Date.now } = {}) {
    this.run = run;
    this.now = now;
    this.random = randomOf(seed);
    this.customer = zipfOf(customers, exponent, this.random);
  }

  event() {
    const { oracle, random } = this;
    const kind = Math.floor(random() * 10_000);
    oracle.sent += 1;
    if (kind < SHARES.duplicate && this.#recent.length > 0) {
      oracle.duplicates += 1;
      return this.#recent[Math.floor(random() * this.#recent.length)];
    }
    const id = `${this.run}-${String(oracle.sent).padStart(10, '0')}`;
    const isLate = kind < SHARES.duplicate + SHARES.late;
    const isMalformed = !isLate && kind < SHARES.duplicate + SHARES.late + SHARES.malformed;
    const model = MODELS[Math.floor(random() * MODELS.length)];
    const tokens = 1 + Math.floor(random() * 2_000);
    const text = textOf(id, isMalformed ? '' : `customer-${this.customer()}`, this.now() - (isLate ? LATE_MS : Math.floor(random() * 2_000)), model, tokens);
    if (isMalformed) { oracle.malformed += 1; return text; }
    if (isLate) oracle.late += 1;
    this.#count(model, tokens);
    if (this.#recent.length < RECENT) this.#recent.push(text);
    else this.#recent[oracle.sent % RECENT] = text;
    return text;
  }

  /** An event of one customer. */
  of(customer, model) {
    this.oracle.sent += 1;
    this.#count(model, 1);
    return textOf(`${this.run}-${String(this.oracle.sent).padStart(10, '0')}`, `customer-${customer}`, this.now(), model, 1);
  }

  #count(model, tokens) {
    this.oracle.good += 1;
    this.oracle.total += tokens;
    this.oracle.byModel[model] += tokens;
  }

  batch(size) {
    const events = [];
    for (let nth = 0; nth < size; nth++) events.push(this.event());
    return `[${events.join(',')}]`;
  }
}
