import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import {
  Clock,
  type Replaceable,
  SessionBackend,
  SessionModule,
  type SessionOptions,
  SessionStore,
} from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, KEY, logIn, startApp, startupError } from './support/nest-app.js';

const START = Date.UTC(2030, 0, 1);

type Imports = NonNullable<ModuleMetadata['imports']>;

/** A backend that Nest makes, with something injected. */
@Injectable()
class InjectedBackend extends MemorySessionBackend {
  constructor(readonly clock: Clock) {
    super();
  }

  get count(): number {
    return this.rows.size;
  }
}

@Injectable()
class FixedClock extends Clock {
  now(): number {
    return START;
  }
}

@Module({ providers: [FixedClock], exports: [FixedClock] })
class TimeModule {}

@Module({ providers: [MemorySessionBackend], exports: [MemorySessionBackend] })
class StorageModule {}

async function appWith(structure: Pick<SessionOptions, 'backend' | 'clock'>, imports: Imports = []) {
  const sessions = SessionModule.forRootAsync({
    imports,
    useFactory: () => ({ key: KEY }),
    ...structure,
  });
  return startApp({ imports: [sessions] });
}

afterEach(closeApps);

describe('the `backend` option', () => {
  const kept = new MemorySessionBackend();
  const cases: Array<[string, Replaceable<SessionBackend>, Imports]> = [
    ['an instance', kept, []],
    ['a class', MemorySessionBackend, []],
    ['a class that has something injected', InjectedBackend, []],
    ['{ useClass }', { useClass: InjectedBackend }, []],
    ['{ useValue }', { useValue: new MemorySessionBackend() }, []],
    [
      '{ useFactory, inject }',
      { useFactory: (clock: Clock) => new InjectedBackend(clock), inject: [Clock] },
      [],
    ],
    [
      '{ useFactory } that is asynchronous',
      { useFactory: () => Promise.resolve(new MemorySessionBackend()) },
      [],
    ],
    ['{ useExisting } of an imported module', { useExisting: MemorySessionBackend }, [StorageModule]],
  ];

  it.each(cases)('may be %s', async (_what, backend, imports) => {
    const app = await appWith({ backend }, imports);
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
    expect(app.get(SessionBackend, { strict: false })).toBeInstanceOf(MemorySessionBackend);
  });

  it('as an instance is that one', async () => {
    expect((await appWith({ backend: kept })).get(SessionBackend, { strict: false })).toBe(kept);
  });

  it('as a class gets the clock of the module', async () => {
    const clock = new ManualClock(START);
    const app = await appWith({ backend: InjectedBackend, clock });
    await logIn(app, 'ada');
    const backend = app.get<InjectedBackend>(SessionBackend, { strict: false });
    expect(backend.clock).toBe(clock);
    expect(backend.count).toBe(1);
  });

  it('needs no data source', async () => {
    const app = await startApp({
      imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend })],
    });
    expect(await app.get(SessionStore).checkHealth()).toMatchObject({ healthy: true });
  });
});

describe('the `clock` option', () => {
  const cases: Array<[string, Replaceable<Clock>, Imports]> = [
    ['an instance', new ManualClock(START), []],
    ['a class', FixedClock, []],
    ['{ useClass }', { useClass: FixedClock }, []],
    ['{ useValue }', { useValue: new ManualClock(START) }, []],
    [
      '{ useFactory, inject }',
      { useFactory: (inner: FixedClock) => inner, inject: [FixedClock] },
      [TimeModule],
    ],
    ['{ useExisting }', { useExisting: FixedClock }, [TimeModule]],
    ['an object with now(), of no class', { now: () => START }, []],
  ];

  it.each(cases)('may be %s', async (_what, clock, imports) => {
    const app = await appWith({ clock, backend: MemorySessionBackend }, imports);
    await logIn(app, 'ada');
    const [session] = await app.get(SessionStore).listForUser('ada');
    expect(session?.createdAt).toEqual(new Date(START));
  });
});

describe('refused at startup', () => {
  const failure = (options: object) =>
    startupError({ imports: [SessionModule.forRootAsync({ useFactory: () => ({ key: KEY }), ...options })] });

  it.each([
    [
      'a clock without now()',
      { clock: {}, backend: MemorySessionBackend },
      /`clock`: expected a Clock.*got an object/,
    ],
    [
      'a backend without the methods of one',
      { backend: {} },
      /`backend`: expected a SessionBackend.*got an object/,
    ],
    [
      'a factory that makes no backend',
      { backend: { useFactory: () => undefined } },
      /`backend`: expected a SessionBackend.*got undefined/,
    ],
  ])('%s', async (_what, options, message) => {
    expect(await failure(options)).toMatch(message);
  });

  it.each([
    ['a backend that is a name', { backend: 'redis' }, /`backend`: expected .*got 'redis'/],
    ['a clock that is a number', { clock: START }, /`clock`: expected .*got 1893456000000/],
    ['null for a backend', { backend: null }, /`backend`: expected .*got null/],
    ['null for a clock', { clock: null }, /`clock`: expected .*got null/],
    [
      'a data source that is neither',
      { dataSource: 5 },
      /`dataSource`: expected the name or the options.*got/,
    ],
  ])('%s, already by forRoot', (_what, options, message) => {
    expect(() => SessionModule.forRoot({ key: KEY, ...(options as object) })).toThrow(message);
  });
});
