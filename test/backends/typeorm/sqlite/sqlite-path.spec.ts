import { resolve } from 'node:path';
import { databaseFile, sessionsFileBeside } from '../../../../src/backends/typeorm/sqlite/sqlite-path.js';

const OPEN_URI = 0x40;

describe('the file for sessions beside the app', () => {
  it.each([
    ['/data/app.sqlite', '/data/app.sessions.sqlite'],
    ['/data/app.db', '/data/app.sessions.db'],
    ['/data/app', '/data/app.sessions'],
    ['/data.d/my.app.sqlite3', '/data.d/my.app.sessions.sqlite3'],
    ['/data/.app', '/data/.app.sessions'],
  ])('for %s is %s', (app, sessions) => {
    expect(sessionsFileBeside(app)).toBe(sessions);
  });
});

describe('the file that SQLite opens', () => {
  it.each([
    ['app.sqlite', undefined, resolve('app.sqlite')],
    ['/data/app.sqlite', undefined, '/data/app.sqlite'],
    [':memory:', undefined, null],
    ['', undefined, null],
    ['file:/data/app.sqlite', undefined, resolve('file:/data/app.sqlite')],
    ['file:/data/my%20app.sqlite?mode=rw#part', OPEN_URI, '/data/my app.sqlite'],
    ['file:///data/app.sqlite', OPEN_URI, '/data/app.sqlite'],
    ['file://localhost/data/app.sqlite', OPEN_URI, '/data/app.sqlite'],
    ['file:app.sqlite', OPEN_URI, resolve('app.sqlite')],
    ['file::memory:?cache=shared', OPEN_URI, null],
    ['file:app?mode=memory', OPEN_URI, null],
    ['app.sqlite', 0x80, null],
  ])('for %p with flags %p is %p', (database, flags, file) => {
    expect(databaseFile(database, flags)).toBe(file);
  });
});
