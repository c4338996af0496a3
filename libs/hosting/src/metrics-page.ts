import type { Metrics } from '@valueverse/platform';

const HEAD = `# Metrics

Generated from the metrics that the services make; \`npm run generate\` writes it again. Each service answers \`GET /metrics\` in the format of Prometheus, the embedded
edition those of all four. \`deploy/prometheus.yml\` scrapes them. Beside these are the metrics of Node.js (\`process_*\`, \`nodejs_*\`). A label has few values: no tenant,
customer, subscription or event is one.

Gauges of the log and of jobs are asked of the database and the feed at each scrape, so every replica says the same: take the greatest, not the sum. Counters and
histograms are each process's own: take the sum.

| name | type | labels | meaning |
|---|---|---|---|
`;

/** The reference of all metrics, by name. */
export const metricsPage = async ({ registry }: Metrics): Promise<string> => {
  const labelsOf = new Map((registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[]).map(({ name, labelNames }) => [name, labelNames]));
  const all = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('valueverse_')).sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = all.map(({ name, type, help }) => `| \`${name}\` | ${String(type)} | ${(labelsOf.get(name) ?? []).map((label) => `\`${label}\``).join(', ')} | ${help} |`);
  return `${HEAD}${rows.join('\n')}\n`;
};
