const TEXT_OID = 25;
const BYTEA_OID = 17;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;

/**
 * An array in PostgreSQL's binary format, one dimension and no nulls, for many long texts: as text each quote in them would be escaped here, scanned
 * there, and written twice. Bytes are sent as they are, texts as UTF-8.
 */
const binaryArray = (oid: number, lengths: readonly number[], write: (buffer: Buffer, at: number, index: number) => void): Buffer => {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + lengths.reduce((sum, length) => sum + LENGTH_BYTES + length, 0));
  buffer.writeInt32BE(lengths.length === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(0, 4);
  buffer.writeInt32BE(oid, 8);
  if (lengths.length === 0) return buffer.subarray(0, 12);
  buffer.writeInt32BE(lengths.length, 12);
  buffer.writeInt32BE(1, 16);
  let at = HEADER_BYTES;
  for (const [index, length] of lengths.entries()) {
    buffer.writeInt32BE(length, at);
    write(buffer, at + LENGTH_BYTES, index);
    at += LENGTH_BYTES + length;
  }
  return buffer;
};

/** A `text[]` parameter. */
export const textArray = (values: readonly string[]): Buffer =>
  binaryArray(TEXT_OID, values.map((value) => Buffer.byteLength(value)), (buffer, at, index) => { buffer.write(values[index]!, at); });

/** A `bytea[]` parameter. */
export const byteaArray = (values: readonly Buffer[]): Buffer =>
  binaryArray(BYTEA_OID, values.map(({ length }) => length), (buffer, at, index) => { values[index]!.copy(buffer, at); });
