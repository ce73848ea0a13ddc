import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionDataError } from '../../../../src/core/session-errors.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import {
  DATABASE_KINDS,
  onEachDatabase,
  openDatabase,
  type TestDatabase,
} from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

/** Ids of as many people. */
const EXACT = [
  'Bob',
  'bob',
  'BOB',
  'bob ',
  ' bob',
  'bob\t',
  'x'.repeat(255),
  '\u{1F9C1}'.repeat(127),
  "Robert'); DROP TABLE sessions;--",
  '"`\\?$1:name%_',
  'bo\u0308b',
  'b\u00f6b',
  '\u202Ebob',
  '\u00df',
  'ss',
  '日本語',
  '0',
  '00',
  '1e0',
];

onEachDatabase('user ids', DATABASE_KINDS, (kind) => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let store: SessionStore;

  beforeAll(async () => {
    database = await openDatabase(kind);
    dataSource = await database.open();
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    store = new SessionStore(backend, { plaintext: true, maxPerUser: 1 });
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
  });

  it('of every kind are kept exactly, and each is somebody else', async () => {
    const tokens = new Map<string, string>();
    for (const userId of EXACT) tokens.set(userId, (await store.create({}, userId)).token.reveal());
    for (const [userId, token] of tokens) {
      expect((await store.readByToken(token))?.userId).toBe(userId);
      expect((await store.listForUser(userId)).map((each) => each.userId)).toEqual([userId]);
    }
    expect(await store.destroyAllForUser('bob')).toBe(1);
    expect(await store.listForUser('Bob')).toHaveLength(1);
    expect(await store.destroyAll()).toBe(EXACT.length - 1);
  });

  it.each<[string, string, RegExp]>([
    ['holds a NUL', 'b\0b', /^Invalid user id: expected no NUL character, got one$/],
    [
      'is longer than the column',
      'x'.repeat(256),
      /^Invalid user id: expected at most 255 characters, got 256$/,
    ],
    ['is longer than the column in emoji', '\u{1F9C1}'.repeat(128), /at most 255 characters, got 256$/],
    [
      'holds half an emoji',
      'b\uD83Eb',
      /^Invalid user id: expected well-formed Unicode, got a lone surrogate$/,
    ],
    ['is empty', '', /^Invalid user id: expected a non-empty string, got an empty one$/],
  ])('that %s are refused by name, and nothing is stored', async (_, userId, message) => {
    const refused = await store.create({}, userId).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SessionDataError);
    expect(String(refused).replace('SessionDataError: ', '')).toMatch(message);
    expect(await store.destroyAll()).toBe(0);
  });
});
