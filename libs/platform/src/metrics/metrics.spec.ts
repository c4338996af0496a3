import { Metrics } from './metrics';

test('names follow one form and a metric is made once', async () => {
  const metrics = new Metrics();
  const name = { subsystem: 'relay', what: 'published', help: 'Facts that went to the feed', labels: ['topic'] as const };
  metrics.counter(name).inc({ topic: 'billing.invoices' });
  metrics.counter(name).inc({ topic: 'billing.invoices' });
  metrics.gauge({ subsystem: 'relay', what: 'lag', unit: 'seconds', help: 'Age of the oldest fact that waits' }).set(2);
  metrics.histogram({ subsystem: 'http', what: 'wait', unit: 'seconds', help: 'Waiting', buckets: [1] }).observe(0.5);
  const text = await metrics.registry.metrics();
  expect(text).toContain('valueverse_relay_published_total{topic="billing.invoices"} 2');
  expect(text).toContain('valueverse_relay_lag_seconds 2');
  expect(text).toContain('valueverse_http_wait_seconds_bucket{le="1"} 1');
});

test('what Node says of itself is there when asked for', async () => {
  const metrics = new Metrics();
  metrics.collectProcess();
  expect(await metrics.registry.metrics()).toContain('process_cpu_seconds_total');
});

test('a name out of form and a label without bounds are refused', () => {
  const metrics = new Metrics();
  expect(() => metrics.counter({ subsystem: 'Relay', what: 'x', help: '' })).toThrow(/not the name/);
  expect(() => metrics.counter({ subsystem: 'relay', what: 'x', help: '', labels: ['customer_id'] })).toThrow(/label customer_id/);
});
