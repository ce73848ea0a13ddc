import { type DynamicModule, Injectable, Module, type INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { types } from 'node:util';
import {
  SessionModule,
  type SessionSettings,
  type SessionSettingsFactory,
  SessionStore,
} from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, logIn, startApp, temporaryFolder } from './support/nest-app.js';

/** A key as apps write one, found in memory by its text or its bytes. */
const HEX = Buffer.alloc(32, 'the key that nobody may find').toString('hex');
const BYTES = Buffer.from(HEX, 'hex');

const settings = (key: SessionSettings['key']) => ({ key, cleanup: false }) as const;

/** What the app itself makes is its own; it keeps the key where this cannot look. */
@Injectable()
class Settings implements SessionSettingsFactory {
  createSessionOptions(): SessionSettings {
    return settings(HEX);
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

const isKey = (value: unknown): boolean =>
  typeof value === 'string'
    ? value.includes(HEX)
    : value instanceof Uint8Array &&
      BYTES.equals(Buffer.from(value.buffer, value.byteOffset, value.byteLength));

/** Paths on which an object leads to the key: fields, with accessors called, and what collections hold. */
function pathsToKey(root: object): string[] {
  const seen = new Set<unknown>();
  const found: string[] = [];
  let level: Array<[string, unknown]> = [['', root]];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const [path, value] of level) {
      if (isKey(value)) found.push(path);
      else if (Object(value) === value && !seen.has(value)) {
        seen.add(value);
        next.push(...partsOf(path, value as object));
      }
    }
    level = next;
  }
  return found;
}

function partsOf(path: string, value: object): Array<[string, unknown]> {
  const parts: Array<[string, unknown]> = [];
  // Nest keeps objects that have the prototype of a Map and are none.
  if (types.isMap(value))
    for (const [key, one] of value) parts.push([`${path}<key>`, key], [`${path}<${name(key)}>`, one]);
  if (types.isSet(value)) for (const one of value) parts.push([`${path}<>`, one]);
  if (ArrayBuffer.isView(value)) return parts;
  for (const key of keysOf(value)) parts.push([`${path}.${String(key)}`, read(value, key)]);
  return parts;
}

/** Node warns of whoever reads these. They show the headers of a response once more. */
const DEPRECATED: ReadonlySet<string> = new Set(['_headers', '_headerNames']);

/** Its own, and those of inherited accessors: Nest keeps instances where only an accessor leads. */
function keysOf(value: object): Set<string | symbol> {
  const keys = new Set(Reflect.ownKeys(value));
  for (let from = Reflect.getPrototypeOf(value); from !== null; from = Reflect.getPrototypeOf(from))
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(from)))
      if ('get' in descriptor && !DEPRECATED.has(key)) keys.add(key);
  return keys;
}

const name = (key: unknown): string => (typeof key === 'function' ? key.name : typeof key);

function read(value: object, key: string | symbol): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    return undefined;
  }
}

const folder = temporaryFolder();
const structure = { backend: MemorySessionBackend };
const cases: Array<[string, () => DynamicModule]> = [
  ['forRoot, as text', () => SessionModule.forRoot({ ...settings(HEX), ...structure })],
  ['forRoot, as bytes', () => SessionModule.forRoot({ ...settings(Buffer.from(BYTES)), ...structure })],
  ['forRoot, in a list', () => SessionModule.forRoot({ ...settings([HEX]), ...structure })],
  ['useFactory', () => SessionModule.forRootAsync({ useFactory: () => settings(HEX), ...structure })],
  [
    'useFactory that is asynchronous',
    () => SessionModule.forRootAsync({ useFactory: () => Promise.resolve(settings(HEX)), ...structure }),
  ],
  ['useClass', () => SessionModule.forRootAsync({ useClass: Settings, ...structure })],
  [
    'useExisting',
    () => SessionModule.forRootAsync({ imports: [SettingsModule], useExisting: Settings, ...structure }),
  ],
];

afterEach(closeApps);
afterAll(folder.remove);

async function running(sessions: DynamicModule): Promise<INestApplication> {
  const app = await startApp({ imports: [sessions] });
  await logIn(app, 'ada'); // the key is in use
  return app;
}

describe('after startup nothing that Nest holds leads to the key', () => {
  it.each(cases)('of %s', async (_how, sessions) => {
    const app = await running(sessions());
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
    expect(pathsToKey(app.get(ModulesContainer, { strict: false }))).toEqual([]);
  });

  it('nor to what a factory returns as `dataSource`, where a password may be', async () => {
    const dataSource = { type: 'sqlite', database: folder.path(`${HEX}.sqlite`) } as const;
    const app = await running(
      SessionModule.forRootAsync({ useFactory: () => ({ plaintext: true, dataSource }) }),
    );
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
    expect(pathsToKey(app.get(ModulesContainer, { strict: false }))).toEqual([]);
  });

  it('which this would find', async () => {
    @Module({ providers: [{ provide: 'settings', useValue: settings([BYTES, HEX]) }] })
    class CarelessModule {}
    const app = await startApp({ imports: [CarelessModule, cases[0]![1]()] });
    expect(pathsToKey(app.get(ModulesContainer, { strict: false }))).toHaveLength(2);
  });
});
