import Ajv from 'ajv';

/** Ids, sources, types and subjects. */
export const NAME_LENGTH_MAX = 256;
/** How many keys `data` may have, on all levels together. */
export const DATA_KEYS_MAX = 100;

/** A usage event as nearly all are: no extensions, flat data, names without odd characters. */
export interface PlainEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time?: string;
  readonly datacontenttype?: 'application/json';
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
}

/**
 * Characters that are seen and have one way to be written: names with others, which may be good too, are read closely. Below U+0300 every text is in the
 * normal form C of Unicode.
 */
const name = { type: 'string', pattern: `^[\\u0020-\\u007e\\u00a0-\\u02ff]{1,${NAME_LENGTH_MAX}}$` };

/**
 * The quick yes: what this schema takes is a usage event but for its time, and what it does not take is no fault yet, it only has to be read closely.
 * Compiled once, because every usage event passes here.
 */
export const isPlainEvent = new Ajv({ unicodeRegExp: false, allowUnionTypes: true }).compile<PlainEvent>({
  type: 'object', required: ['specversion', 'id', 'source', 'type', 'subject'], additionalProperties: false,
  properties: {
    specversion: { const: '1.0' }, id: name, source: name, type: name, subject: name, time: { type: 'string' }, datacontenttype: { const: 'application/json' },
    data: { type: 'object', maxProperties: DATA_KEYS_MAX, additionalProperties: { type: ['string', 'number', 'boolean', 'null'] } },
  },
});
