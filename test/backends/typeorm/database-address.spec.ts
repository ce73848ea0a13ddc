import type { DataSourceOptions } from 'typeorm';
import { checkAddress } from '../../../src/backends/typeorm/database-address.js';

const check = (options: object) => (): void => checkAddress(options as DataSourceOptions);
const HINT =
  '. The usual cause is a variable such as process.env.DATABASE_URL that is not set, or is read before the .env file is ' +
  'loaded: return `dataSource` from the factory of SessionModule.forRootAsync() with ConfigService then';
const unset = (name: string, wanted: string, got: string): string =>
  `\`dataSource.${name}\`: expected ${wanted}, got ${got}${HINT}`;

describe.each(['postgres', 'mysql', 'mariadb'])('the address of a database on %s', (type) => {
  it.each<[string, object]>([
    ['a URL', { url: 'postgres://db/app' }],
    [
      'a URL, with parts that are not set',
      { url: 'postgres://db/app', host: undefined, database: undefined },
    ],
    ['parts, with a URL that is not set', { url: undefined, host: 'db', database: 'app' }],
    ['parts, without a password', { host: 'db', username: 'ada', password: undefined, database: 'app' }],
    ['a user that is not set: that of the machine', { host: 'db', username: undefined, database: 'app' }],
    ['a port that is not set: the usual one', { host: 'db', port: undefined, database: 'app' }],
    ['a port as a variable has it', { host: 'db', port: '6543', database: 'app' }],
    ['a socket', { socketPath: '/run/db.sock', host: undefined, database: 'app' }],
    ['no database: the one of the user', { host: 'db' }],
    ['nothing: the defaults of the driver', {}],
    [
      'those of replicas',
      { replication: { master: { host: 'a' }, slaves: [{ host: 'b' }, { url: 'x://c' }] } },
    ],
  ])('may be %s', (_, address) => {
    expect(check({ type, ...address })).not.toThrow();
  });

  it.each<[object, string]>([
    [{ url: undefined }, unset('url', 'a URL', 'undefined')],
    [{ url: '' }, unset('url', 'a URL', "''")],
    [{ url: null }, unset('url', 'a URL', 'null')],
    [{ url: undefined, host: undefined, database: undefined }, unset('url', 'a URL', 'undefined')],
    [{ url: undefined, database: 'app' }, unset('url', 'a URL', 'undefined')],
    [{ host: undefined, database: 'app' }, unset('host', 'a name', 'undefined')],
    [{ host: '', database: 'app' }, unset('host', 'a name', "''")],
    [{ host: 'db', database: undefined }, unset('database', 'a name', 'undefined')],
    [{ database: undefined }, unset('database', 'a name', 'undefined')],
    [{ socketPath: '/run/db.sock', database: '' }, unset('database', 'a name', "''")],
    [{ host: 'db', port: Number.NaN }, unset('port', 'a port', 'NaN')],
    [{ url: 'postgres://db/app', port: Number.NaN }, unset('port', 'a port', 'NaN')],
    [{ host: 'db', port: '' }, unset('port', 'a port', "''")],
    [{ host: 'db', port: 0 }, '`dataSource.port`: expected a port, got 0'],
    [{ host: 'db', port: 65_536 }, '`dataSource.port`: expected a port, got 65536'],
    [{ host: 'db', port: 54.5 }, '`dataSource.port`: expected a port, got 54.5'],
    [{ host: 'db', port: 'secret' }, '`dataSource.port`: expected a port, got a string'],
    [{ url: new URL('x://ada:secret@db/app') }, '`dataSource.url`: expected a URL as text, got a URL'],
    [
      { replication: { master: { url: undefined }, slaves: [] } },
      unset('replication.master.url', 'a URL', 'undefined'),
    ],
    [
      { replication: { master: { host: 'a' }, slaves: [{ host: 'b' }, { host: undefined }] } },
      unset('replication.slaves[1].host', 'a name', 'undefined'),
    ],
  ])('is refused where it says nothing, by its name: %p', (address, message) => {
    expect(check({ type, ...address })).toThrow(
      expect.objectContaining({ message, name: 'SessionOptionsError' }),
    );
  });
});

describe.each(['sqlite', 'better-sqlite3'])('the file of a database on %s', (type) => {
  it.each(['app.sqlite', ':memory:'])('may be %p', (database) => {
    expect(check({ type, database })).not.toThrow();
  });

  it.each([
    [{}, 'undefined'],
    [{ database: undefined }, 'undefined'],
    [{ database: null }, 'null'],
    [{ database: '' }, "''"], // SQLite would make a database that goes with the connection
  ])('is refused where there is none: %p', (options, got) => {
    expect(check({ type, ...options })).toThrow(unset('database', 'a file', got));
  });

  it('is refused where it is no text', () => {
    expect(check({ type, database: 7 })).toThrow('`dataSource.database`: expected a file, got 7');
  });
});
