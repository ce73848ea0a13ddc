import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  SessionConflictError,
  SessionDataError,
  SessionError,
  SessionGoneError,
  SessionLimitError,
  SessionOptionsError,
  SessionStoreError,
  SessionTamperedError,
  SessionTooLargeError,
} from 'nest-sessions';
import type { OpenApp, TestApp } from '../../../support/open-app.js';
import type { PlatformResponse, Route, TestSession } from '../../../support/routes.js';
import { BASICS } from '../../../support/session-routes.js';

/** A way to make an error, by a method of `Session` or of `SessionStore`. */
export interface Failure {
  readonly title: string;
  readonly error: typeof SessionError;
  readonly code: string;
  readonly status: number;
  readonly fail: (app: TestApp, session: TestSession) => unknown;
}

export const FAILURES: readonly Failure[] = [
  {
    title: 'session.update() while storage is down',
    error: SessionStoreError,
    code: 'session_store_unavailable',
    status: 503,
    fail: ({ storage }, session) => {
      storage.goDown();
      return session.update((data) => void (data.count = 1));
    },
  },
  {
    title: 'store.read() while storage is down',
    error: SessionStoreError,
    code: 'session_store_unavailable',
    status: 503,
    fail: ({ storage, store }, session) => {
      storage.goDown();
      return store.read(session.id ?? '');
    },
  },
  {
    title: 'session.save() of a session that has ended',
    error: SessionGoneError,
    code: 'session_gone',
    status: 401,
    fail: async ({ store }, session) => {
      await store.delete(session.id ?? '');
      session.data.count = 1;
      await session.save();
    },
  },
  {
    title: 'store.rotateToken() of a session that has ended',
    error: SessionGoneError,
    code: 'session_gone',
    status: 401,
    fail: ({ store }) => store.rotateToken('01J00000000000000000000000'),
  },
  {
    title: 'store.cycle() to an id that is taken',
    error: SessionConflictError,
    code: 'session_conflict',
    status: 409,
    fail: async ({ store }) => {
      await store.save('one', { userId: null, data: {} }, '1h');
      await store.save('two', { userId: null, data: {} }, '1h');
      await store.cycle('one', 'two', { userId: null, data: {} }, '1h');
    },
  },
  {
    title: 'session.authenticate() over the limit',
    error: SessionLimitError,
    code: 'session_limit_reached',
    status: 409,
    fail: async ({ store }, session) => {
      await store.create({}, 'bob');
      await session.authenticate('bob');
    },
  },
  {
    title: 'store.create() over the limit',
    error: SessionLimitError,
    code: 'session_limit_reached',
    status: 409,
    fail: ({ store }) => store.create({}, 'ada'),
  },
  {
    title: 'data over maxDataBytes',
    error: SessionTooLargeError,
    code: 'session_too_large',
    status: 413,
    fail: (_, session) => {
      session.data['big'] = 'x'.repeat(20_000);
      return session.save();
    },
  },
  {
    title: 'store.load() of a row that was altered',
    error: SessionTamperedError,
    code: 'session_tampered',
    status: 401,
    fail: ({ storage, store }, session) => {
      const id = session.id ?? '';
      const payload = Buffer.from(storage.memory.row(id).payload);
      payload.writeUInt8(payload.readUInt8(payload.length - 1) ^ 1, payload.length - 1);
      storage.memory.tamper(id, { payload });
      return store.load(id);
    },
  },
  {
    title: 'data that is not JSON',
    error: SessionDataError,
    code: 'session_data_invalid',
    status: 500,
    fail: (_, session) => {
      session.data['big'] = 1n;
      return session.save();
    },
  },
  {
    title: 'store.save() with a bad duration',
    error: SessionOptionsError,
    code: 'session_options_invalid',
    status: 500,
    fail: ({ store }) => store.save('one', { userId: null, data: {} }, 'soon'),
  },
];

/** What a handler has caught. */
export interface Caught {
  readonly isSessionError: boolean;
  /** Of these eight, the classes that `instanceof` confirms. */
  readonly classes: readonly string[];
}

const CLASSES = [
  SessionStoreError,
  SessionGoneError,
  SessionConflictError,
  SessionLimitError,
  SessionTooLargeError,
  SessionTamperedError,
  SessionDataError,
  SessionOptionsError,
];

/** An app whose `/do/fail` fails, and whose `/do/caught` catches that; with somebody signed in. */
export async function openFailing(open: OpenApp, failure: Failure, ...filters: ExceptionFilter[]) {
  const opened: { app?: TestApp } = {};
  const caught: Caught[] = [];
  const fail: Route = async ({ session }) => {
    if (opened.app) await failure.fail(opened.app, session);
  };
  const app = await open({
    options: { maxPerUser: 1, onLimit: 'reject' },
    providers: filters.map((useValue) => ({ provide: APP_FILTER, useValue })),
    routes: {
      ...BASICS,
      fail,
      caught: async (...call) => {
        try {
          await fail(...call);
        } catch (error) {
          caught.push({
            isSessionError: error instanceof SessionError,
            classes: CLASSES.filter((type) => error instanceof type).map((type) => type.name),
          });
        }
      },
    },
  });
  opened.app = app;
  const ada = app.browser();
  await ada.post('/do/in');
  return { app, ada, caught };
}

/** Keeps every error, and answers 599. */
@Catch()
export class Recorder implements ExceptionFilter {
  readonly caught: unknown[] = [];

  catch(error: unknown, host: ArgumentsHost): void {
    this.caught.push(error);
    host.switchToHttp().getResponse<PlatformResponse>().status(599).send({});
  }
}
