import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type INestApplication, Logger, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Clock } from 'nest-sessions';
import { ManualClock } from 'nest-sessions/testing';
import request from 'supertest';
import { importedFiles, ROOT, shownFile } from './compile.js';
import { Document, type Snippet } from './document.js';
import { openWorkplace, type Workplace } from './run.js';

/** The files that a page shows, and those of other pages that they import, as one app that requests can be sent to. */
export interface PageApp {
  /** What a file of the page exports under a name. */
  recipe<T = object>(file: string, name: string): Promise<Type<T>>;
  /** All that a file of the page exports. */
  exports<T>(file: string): Promise<T>;
  /**
   * Starts the app of `app.module.ts` with what a reader adds to it, on a clock that stands still.
   *
   * @param added controllers, providers and imports beside those that the page's app has
   * @param prepare what a `main.ts` does before the app listens
   */
  start(
    added?: Pick<ModuleMetadata, 'controllers' | 'providers' | 'imports'>,
    on?: 'Express' | 'Fastify',
    prepare?: (app: INestApplication) => unknown,
  ): Promise<Running>;
  close(): Promise<void>;
}

/** A change to what a page shows, before it runs: of the database, or of how much work a hash is. */
export type Edit = (file: Snippet) => Snippet;

/** An app that answers requests. Cookies are Cookie headers. */
export interface Running {
  readonly app: INestApplication;
  readonly url: string;
  readonly clock: ManualClock;
  readonly get: (path: string, cookie?: string, accept?: string) => request.Test;
  readonly post: (path: string, body?: object, cookie?: string) => request.Test;
  readonly put: (path: string, body?: object, cookie?: string) => request.Test;
  readonly delete: (path: string, cookie?: string) => request.Test;
  /** As a browser posts a form without script. */
  readonly submit: (path: string, fields: object, cookie?: string) => request.Test;
}

export interface PageOptions {
  /** The page that shows the app to which this one adds. @default the page itself */
  readonly goesOnWith?: string;
  /** Files of other pages that the page tells its reader to take as well. */
  readonly also?: readonly string[];
  /** Changes what is shown. @default nothing */
  readonly edit?: Edit;
  /** A file of the page that exports `sessions`, to stand in `app.module.ts` for the module that is there. */
  readonly sessions?: string;
}

/**
 * Opens the app of a page in a folder of its own, with a database and a key of its own. Passwords are hashed with a
 * thousandth of the work that is shown, unless `edit` decides. What the app logs is dropped.
 *
 * @param page its path below the root of the repository
 */
export function openPage(
  page: string,
  { goesOnWith = page, also = [], edit = hashCheaply, sessions }: PageOptions = {},
): PageApp {
  const own = Document.read(join(ROOT, page)).snippets.filter(({ isNamed }) => isNamed);
  const others = [shownFile('app.module.ts', goesOnWith), ...also.map((file) => shownFile(file))];
  const shown: Snippet[] = [...own, ...others.filter((one) => own.every(({ file }) => file !== one.file))];
  const keyBefore = process.env['SESSION_KEY'];
  process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
  Logger.overrideLogger(false);
  const files = [...importedFiles(shown, page), ...shown].map((file) =>
    edit(replaceSessions(file, sessions)),
  );
  const workplace: Workplace = openWorkplace(files);
  const opened: INestApplication[] = [];

  async function exports<T>(file: string): Promise<T> {
    return (await workplace.run(file)) as T;
  }

  async function recipe<T = object>(file: string, name: string): Promise<Type<T>> {
    const found = (await exports<Record<string, Type<T>>>(file))[name];
    if (found === undefined) throw new Error(`Expected ${file} to export ${name}`);
    return found;
  }

  return {
    exports,
    recipe,
    async start({ controllers = [], providers = [], imports = [] } = {}, on = 'Express', prepare) {
      const clock = new ManualClock(Date.now());
      const AppModule = await recipe('app.module.ts', 'AppModule');

      @Module({ imports: [AppModule, ...imports], controllers, providers })
      class Root {}

      const testing = await Test.createTestingModule({ imports: [Root] })
        .overrideProvider(Clock)
        .useValue(clock)
        .compile();
      const app =
        on === 'Express'
          ? testing.createNestApplication()
          : testing.createNestApplication(new FastifyAdapter());
      opened.push(app);
      prepare?.(app);
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      const agent = request(url);
      return {
        app,
        url,
        clock,
        get: (path, cookie = '', accept = 'application/json') =>
          agent.get(path).set('Cookie', cookie).set('Accept', accept),
        post: (path, body = {}, cookie = '') => agent.post(path).set('Cookie', cookie).send(body),
        put: (path, body = {}, cookie = '') => agent.put(path).set('Cookie', cookie).send(body),
        delete: (path, cookie = '') => agent.delete(path).set('Cookie', cookie),
        submit: (path, fields, cookie = '') =>
          agent.post(path).set('Cookie', cookie).set('Accept', 'text/html').type('form').send(fields),
      };
    },
    async close() {
      for (const app of opened.splice(0)) await app.close();
      workplace.close();
      process.env['SESSION_KEY'] = keyBefore;
    },
  };
}

/** Hashes of passwords as the page makes them, with a thousandth of the work. */
export function hashCheaply(file: Snippet): Snippet {
  return { ...file, code: file.code.replace('N: 2 ** 15', 'N: 2 ** 5') };
}

/** `app.module.ts` with the `sessions` of that file in place of its `SessionModule.forRoot(…)`. */
function replaceSessions(file: Snippet, sessions: string | undefined): Snippet {
  if (file.file !== 'app.module.ts' || sessions === undefined) return file;
  const code = file.code.replace(/^ {4}SessionModule\.forRoot\(.*\),$/m, '    sessions,');
  if (code === file.code) throw new Error('Expected app.module.ts to have a line of SessionModule.forRoot()');
  return { ...file, code: `import { sessions } from './${sessions.replace(/ts$/, 'js')}';\n${code}` };
}

/** The Set-Cookie line of the session, with its attributes. */
export function cookieLineOf(response: request.Response): string {
  return response.get('Set-Cookie')?.find((line) => line.startsWith('__Host-sid=')) ?? '';
}

/** The Cookie header that a browser sends back. */
export function cookieOf(response: request.Response): string {
  return cookieLineOf(response).split(';')[0] ?? '';
}
