import type { Connection, PoolClient } from 'pg';

/** What the driver has for a COPY and does not name in its types. */
interface CopyConnection extends Connection { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** After the signature: flags, and the length of an extension that there is not. */
const HEADER_BYTES = SIGNATURE.length + 8;
const TRAILER_BYTES = 2;

/** The bytes of a COPY in PostgreSQL's binary format, of rows that all have the same length: `write` puts one at a place. */
export const binaryRows = (count: number, rowBytes: number, write: (buffer: Buffer, at: number, row: number) => void): Buffer => {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + count * rowBytes + TRAILER_BYTES);
  SIGNATURE.copy(buffer);
  buffer.fill(0, SIGNATURE.length, HEADER_BYTES);
  for (let row = 0; row < count; row++) write(buffer, HEADER_BYTES + row * rowBytes, row);
  buffer.writeInt16BE(-1, HEADER_BYTES + count * rowBytes);
  return buffer;
};

/** Sends one COPY over a connection and resolves when the server has taken it. */
export const copyIn = (client: PoolClient, text: string, bytes: Buffer): Promise<void> => new Promise((resolve, reject) => {
  client.query({
    submit: (connection: CopyConnection) => { connection.query(text); },
    handleCopyInResponse: (connection: CopyConnection) => { connection.sendCopyFromChunk(bytes); connection.endCopyFrom(); },
    handleCommandComplete: () => undefined,
    handleReadyForQuery: () => resolve(),
    // What was sent of the bytes is passed over by the server; the next statement waits until it is ready again.
    handleError: reject,
  } as never);
});
