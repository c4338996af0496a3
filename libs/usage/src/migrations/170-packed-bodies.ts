import { ident } from '@valueverse/event-log';

/** Long bodies of envelopes are packed before they are sent. A process that does not know that finds in `body` what is no JSON, and fails instead of counting without it; it searches only the beginning for names. */
export const packedBodiesSql = (schema: string): string => `
ALTER TABLE ${ident(schema)}.usage_envelopes ADD COLUMN packed bytea;
ALTER TABLE ${ident(schema)}.usage_envelopes ALTER COLUMN packed SET STORAGE EXTERNAL;
COMMENT ON COLUMN ${ident(schema)}.usage_envelopes.packed IS 'the whole body as a frame of zstd, of which body has the beginning; null where body has all of it, or the body was dropped';
`;
