import type { Connection, PoolClient } from 'pg';

/** What the driver has for a COPY and does not name in its types. */
interface CopyConnection extends Connection { endCopyFrom(): void }

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** After the signature: flags, and the length of an extension that there is not. */
const HEADER_BYTES = SIGNATURE.length + 8;
const TRAILER_BYTES = 2;
const COPY_DATA = 'd'.charCodeAt(0);
const LENGTH_BYTES = 4;

/** What stands before the bytes of a COPY in their message; its length counts itself. */
const copyDataHeader = (bytes: number): Buffer => {
  const header = Buffer.allocUnsafe(1 + LENGTH_BYTES);
  header.writeUInt8(COPY_DATA);
  header.writeInt32BE(LENGTH_BYTES + bytes, 1);
  return header;
};

/** The bytes of a COPY in PostgreSQL's binary format, of rows that all have the same length: `write` puts one at a place. */
export const binaryRows = (count: number, rowBytes: number, write: (view: DataView, at: number, row: number) => void): Buffer => {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + count * rowBytes + TRAILER_BYTES);
  SIGNATURE.copy(buffer);
  buffer.fill(0, SIGNATURE.length, HEADER_BYTES);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  for (let row = 0; row < count; row++) write(view, HEADER_BYTES + row * rowBytes, row);
  buffer.writeInt16BE(-1, HEADER_BYTES + count * rowBytes);
  return buffer;
};

/** Sends one COPY over a connection and resolves when the server has taken it. */
export const copyIn = (client: PoolClient, text: string, bytes: Buffer): Promise<void> => new Promise((resolve, reject) => {
  client.query({
    submit: (connection: CopyConnection) => { connection.query(text); },
    handleCopyInResponse: (connection: CopyConnection) => {
      // The driver would copy the bytes into a message of its own.
      connection.stream.cork();
      connection.stream.write(copyDataHeader(bytes.length));
      connection.stream.write(bytes);
      connection.endCopyFrom();
      connection.stream.uncork();
    },
    handleCommandComplete: () => undefined,
    handleReadyForQuery: () => resolve(),
    // What was sent of the bytes is passed over by the server; the next statement waits until it is ready again.
    handleError: reject,
  } as never);
});
