// COPY ... FROM STDIN of bytes that were made beforehand, over a connection of `pg`.
import { createRequire } from 'node:module';

export const { copyIn } = createRequire(import.meta.url)('../../libs/event-log/dist/database/copy-in.js');

const escaped = (text) => text.replace(/[\\\t\n\r]/g, (character) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[character]);
/** Rows in COPY's text format. */
export const copyText = (rows) => Buffer.from(rows.map((row) => `${row.map((value) => (value === null ? '\\N' : Buffer.isBuffer(value) ? `\\\\x${value.toString('hex')}` : escaped(String(value)))).join('\t')}\n`).join(''));
