// Writes a golden file for each event version that has none. A file that is there is never touched: it is what was written once.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const contracts = createRequire(import.meta.url)(join(root, 'libs/contracts/dist/index.js'));
const folder = join(root, 'libs/contracts/golden');
mkdirSync(folder, { recursive: true });

const textFor = (name, schema) => {
  if (schema.pattern?.includes('T[0-9]')) return '2026-01-31T23:30:00.123456Z';
  if (schema.pattern?.startsWith('^-?[0-9]')) return '1234567890.0000025';
  if (/currency/i.test(name)) return 'KWD';
  if (/zone/i.test(name)) return 'Australia/Lord_Howe';
  return `${name} ünïcode`.slice(0, schema.maxLength ?? 64);
};
const sample = (schema, name = 'value') => {
  if (schema.enum) return schema.enum.at(-1);
  if (schema.anyOf) return sample(schema.anyOf[0], name);
  switch (schema.type) {
    case 'string': return textFor(name, schema);
    case 'integer': return Math.max(schema.minimum ?? 0, 3);
    case 'boolean': return true;
    case 'array': return [sample(schema.items, name)];
    case 'object':
      if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([key, child]) => [key, sample(child, key)]));
      return { key: sample(schema.additionalProperties, name) };
    default: return { any: ['thing', 1, null] };
  }
};

const definitions = Object.values(contracts).filter((value) => value && typeof value === 'object' && 'schema' in value && 'topic' in value && 'type' in value);
for (const definition of definitions) {
  const file = join(folder, `${definition.type}.json`);
  if (existsSync(file)) continue;
  writeFileSync(file, `${JSON.stringify({ type: definition.type, topic: definition.topic, data: sample(definition.schema.json), event: { type: definition.name, ...sample(definition.schema.json) } }, null, 2)}\n`);
  process.stdout.write(`new golden file ${definition.type}\n`);
}
