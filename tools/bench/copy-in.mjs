// COPY ... FROM STDIN of bytes that were made beforehand, over a connection of `pg`.

/** Sends one COPY and resolves when the server has taken it. */
export const copyIn = (client, sql, bytes) => new Promise((resolve, reject) => {
  client.query({
    submit: (connection) => { connection.query(sql); },
    handleCopyInResponse: (connection) => { connection.sendCopyFromChunk(bytes); connection.endCopyFrom(); },
    handleCommandComplete: () => undefined, handleRowDescription: () => undefined, handleDataRow: () => undefined,
    handleReadyForQuery: () => resolve(), handleError: (error) => reject(error),
  });
});

const escaped = (text) => text.replace(/[\\\t\n\r]/g, (character) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[character]);
/** Rows in COPY's text format. */
export const copyText = (rows) => Buffer.from(rows.map((row) => `${row.map((value) => (value === null ? '\\N' : Buffer.isBuffer(value) ? `\\\\x${value.toString('hex')}` : escaped(String(value)))).join('\t')}\n`).join(''));
