import type { DriverStatement } from '../pool-dialect.js';
import type { SqlRow, SqlScalar } from '../../sql-connection.js';

/*
 * Several statements in one message of `pg`, which itself waits for the answer to each before it sends the next. The server
 * executes them in their order, each with a snapshot of its own, as if they had come one by one; after the first that fails
 * it executes none.
 */

/**
 * The results of statements that leave in one message. `null`: they cannot, because the client is one of `pg-native`, or there
 * is a list among the values, or a name that `pg` has yet to prepare on this connection, of which it would not learn.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export function sendTogether(
  client: PgClient,
  statements: readonly DriverStatement[],
): Promise<readonly PgResult[]> | null {
  const { Query } = client.constructor;
  const prepared = client.connection?.parsedStatements;
  if (Query === undefined || prepared === undefined) return null;
  const isReady = ({ name, text, values }: DriverStatement): boolean =>
    (name === null || prepared[name] === text) && !values.some(Array.isArray);
  if (!statements.every(isReady)) return null;
  return new Promise((resolve, reject) => {
    const text = statements.map((statement) => statement.text).join('; ');
    const query = new Query({ text }, undefined, (error, results) =>
      error ? reject(error) : resolve([results].flat()),
    );
    Object.assign(query, methodsOf(Query.prototype));
    // The answers are those to a text of several statements, so that `Query` takes them as they come.
    query.submit = (connection) => {
      connection.stream.cork();
      try {
        for (const statement of statements) submit(connection, statement);
        connection.sync();
      } finally {
        connection.stream.uncork();
      }
      return null;
    };
    // What a patched client rejects with, or throws, has not come to the query.
    Promise.resolve(client.query(query)).catch(reject);
  });
}

/**
 * The methods of a query, which are to be properties of the query itself: libraries that watch `pg`, such as OpenTelemetry with
 * comments in statements, give the client a copy of what it is given, which has no others. Without them the answers would end
 * the process. They are of the copy then, as are the callback that the library, or a `query_timeout`, has put there.
 */
function methodsOf(prototype: object): object {
  const known = METHODS.get(prototype);
  if (known !== undefined) return known;
  const methods: Record<string, unknown> = {};
  for (
    let at: object | null = prototype;
    at !== null && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const method: unknown = Reflect.get(at, name);
      if (typeof method === 'function' && name !== 'constructor' && !Object.hasOwn(methods, name))
        methods[name] = method;
    }
  }
  METHODS.set(prototype, methods);
  return methods;
}

/** By prototype: there is one for each copy of `pg`. */
const METHODS = new WeakMap<object, object>();

function submit(connection: PgConnection, { name, text, values }: DriverStatement): void {
  const statement = name ?? '';
  if (name === null) connection.parse({ name: statement, text });
  connection.bind({ portal: '', statement, values: values.map((value) => bound(value as SqlScalar)) });
  // What the columns are. Those that begin and end transactions have none.
  if (values.length > 0 || text.startsWith('SELECT')) connection.describe({ type: 'P', name: '' });
  connection.execute({ portal: '' });
}

/** What the protocol takes for a value. */
function bound(value: SqlScalar): Buffer | string | null {
  return value === null || Buffer.isBuffer(value) ? value : String(value);
}

/** What is used of a client of `pg`. Several statements at once give a result each. */
export interface PgClient {
  readonly constructor: { readonly Query?: new (...given: QueryArguments) => PgQuery };
  /** Absent from `pg-native`. */
  readonly connection?: PgConnection;
  query(statement: PgStatement | PgQuery): Promise<PgResult | readonly PgResult[]>;
}

/** Without values it may be several statements. */
interface PgStatement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** What a statement gave. */
export interface PgResult {
  readonly rows?: readonly SqlRow[];
  readonly rowCount?: number | null;
}

type QueryArguments = [
  config: PgStatement,
  values: undefined,
  done: (error: Error | null, results: PgResult | readonly PgResult[]) => void,
];

/** A query that its client sends by this method, and hands the answers to. */
interface PgQuery {
  submit(connection: PgConnection): Error | null;
}

/** The messages of the protocol. */
interface PgConnection {
  readonly stream: { cork(): void; uncork(): void };
  /** What is prepared on the connection, by name. */
  readonly parsedStatements?: Readonly<Record<string, string | undefined>>;
  parse(statement: { readonly name: string; readonly text: string }): void;
  bind(values: {
    readonly portal: string;
    readonly statement: string;
    readonly values: ReadonlyArray<Buffer | string | null>;
  }): void;
  describe(portal: { readonly type: 'P'; readonly name: string }): void;
  execute(portal: { readonly portal: string }): void;
  sync(): void;
}
