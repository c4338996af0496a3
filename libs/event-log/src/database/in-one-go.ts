import { type Connection, type PoolClient, Query, type QueryResult, type QueryResultRow } from 'pg';

/** What the driver has and does not name in its types. */
interface Wire extends Pick<Connection, 'stream' | 'sync'> {
  readonly parsedStatements: Record<string, string | undefined>;
  parse(statement: { readonly name: string; readonly text: string }): void;
  bind(config: { readonly statement?: string; readonly values?: readonly unknown[] }): void;
  execute(config: object): void;
}
interface DriverQuery {
  readonly portal: string;
  prepare(connection: Wire): void;
  handleDataRow(row: unknown): void;
  handleCommandComplete(completed: unknown, connection: Wire): void;
}
type Answer<R extends QueryResultRow> = (error: Error | null, result: QueryResult<R>) => void;
const DriverQueryClass = Query as unknown as new (config: object, values: undefined, callback: Answer<never>) => DriverQuery;

/** A statement with a name that every connection may know. */
export interface Named { readonly name: string; readonly text: string; readonly values: readonly unknown[] }
/** What is said before and after a statement, in the same breath. */
export interface Around { readonly begin: string; readonly settings: Named; readonly isLast: boolean }

const wireOf = (client: PoolClient): Wire => (client as unknown as { readonly connection: Wire }).connection;

/** Whether a connection has prepared a statement of this name. */
export const isPrepared = (client: PoolClient, name: string): boolean => wireOf(client).parsedStatements[name] !== undefined;

/** One statement that was prepared before, with others around it that answer nothing of interest: one message there, one back. */
class InOneGo extends DriverQueryClass {
  private completed = 0;
  /** Statements before the one that is asked for: the beginning and the settings. */
  private static readonly BEFORE = 2;

  constructor(statement: Named, private readonly around: Around, answer: Answer<never>) { super(statement, undefined, answer); }

  submit(connection: Wire): null {
    const { begin, settings } = this.around;
    connection.stream.cork();
    try {
      say(connection, begin);
      if (connection.parsedStatements[settings.name] === undefined) connection.parse({ name: settings.name, text: settings.text });
      connection.bind({ statement: settings.name, values: settings.values });
      connection.execute({});
      this.prepare(connection);
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  /** Called by the driver when all of the statement but its execution is said. */
  _getRows(connection: Wire): void {
    connection.execute({ portal: this.portal });
    if (this.around.isLast) say(connection, 'COMMIT');
    connection.sync();
  }

  override handleDataRow(row: unknown): void { if (this.completed === InOneGo.BEFORE) super.handleDataRow(row); }
  override handleCommandComplete(completed: unknown, connection: Wire): void {
    if (this.completed === InOneGo.BEFORE) super.handleCommandComplete(completed, connection);
    this.completed += 1;
  }
}

const say = (connection: Wire, text: string): void => {
  connection.parse({ name: '', text });
  connection.bind({});
  connection.execute({});
};

/**
 * Begins a transaction with its first statement, which this connection has prepared, and ends it, too, where `isLast`. After an error the transaction is there still, and failed.
 * Where it is not sure what the connection has prepared, `client` is not to be used again: `onDoubt` is called.
 */
export const inOneGo = <R extends QueryResultRow>(client: PoolClient, statement: Named, around: Around, onDoubt: (error: Error) => void): Promise<QueryResult<R>> => new Promise((resolve, reject) => {
  const { parsedStatements } = wireOf(client);
  const isKnown = parsedStatements[around.settings.name] !== undefined;
  client.query(new InOneGo(statement, around, (error, result) => {
    if (error !== null) {
      if (!isKnown) onDoubt(error);
      reject(error);
      return;
    }
    parsedStatements[around.settings.name] = around.settings.text;
    resolve(result as QueryResult<R>);
  }) as never);
});
