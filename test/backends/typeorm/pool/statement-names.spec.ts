import { mysqlDialect } from '../../../../src/backends/typeorm/pool/mysql/mysql-dialect.js';
import { postgresDialect } from '../../../../src/backends/typeorm/pool/postgres/postgres-dialect.js';
import { StatementNames } from '../../../../src/backends/typeorm/pool/statement-names.js';

const report = (message: string): never => {
  throw new Error(message);
};

describe('StatementNames', () => {
  it('names a statement by its text alone, so that every process has the same name for it', () => {
    const [one, other] = [1, 2].map(() => new StatementNames(postgresDialect, true, report));
    other?.named('SELECT $1::int', [1]);
    expect(one?.named('SELECT $1', [1])).toEqual(other?.named('SELECT $1', [2]));
    expect(one?.named('SELECT $1 ', [1])?.name).not.toBe(one?.named('SELECT $1', [1])?.name);
  });

  it('names no more than 64, and goes on naming those', () => {
    const names = new StatementNames(postgresDialect, true, report);
    const all = Array.from({ length: 200 }, (_, index) => `SELECT $1 + ${index}`);
    const named = () => all.filter((sql) => names.named(sql, [1]) !== null);
    expect(named()).toEqual(all.slice(0, 64));
    expect(named()).toEqual(all.slice(0, 64));
  });

  it.each([
    ['binds nothing, so that it may be several statements', 0],
    ['binds the values of many rows', 25],
  ])('names none that %s', (_name, length) => {
    const values = Array.from({ length }, () => 1);
    expect(new StatementNames(postgresDialect, true, report).named('SELECT', values)).toBeNull();
  });

  it('names none where the database prepares none', () => {
    expect(new StatementNames(mysqlDialect, true, report).named('SELECT ?', [1])).toBeNull();
  });
});
