import type { INestApplication } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import session from 'express-session';
import type { SessionOptions } from 'nest-sessions';
import { KEY, openApp, type TestApp } from '../../../support/open-app.js';
import { BASICS } from '../../../support/session-routes.js';
import type { ExpressRequest } from '../../../support/express-handlers.js';

/** Whose `req.session` it is: the original is the measure of ours. */
export const ENGINES = ['express-session', 'nest-sessions'] as const;
export type Engine = (typeof ENGINES)[number];

/** What main.ts adds to an app on Express. */
export type Prepare = (app: INestApplication) => void;

/** A handler of plain Express. */
export type Handler = (request: Request, response: Response, next: NextFunction) => void;

/** A route of plain Express. */
export function route(method: string, path: string, handler: Handler): Handler {
  return (request, response, next) =>
    request.method === method && request.path === path ? handler(request, response, next) : next();
}

/** The session of a request of Express. */
export function sessionIn(request: Request): ExpressRequest['session'] {
  return (request as unknown as ExpressRequest).session;
}

const apps: TestApp[] = [];

/** An app on Express, with middleware that reads `req.session`. */
export async function openOn(
  engine: Engine,
  prepare: Prepare,
  options: Partial<SessionOptions> = {},
): Promise<TestApp> {
  const original = session({ secret: 'of the specs', resave: false, saveUninitialized: false });
  const opened = await openApp('express', {
    options: { key: KEY, mount: engine === 'nest-sessions' ? 'middleware' : 'guard', ...options },
    routes: BASICS,
    prepare: (app) => {
      if (engine === 'express-session') app.use(original);
      prepare(app);
    },
  });
  apps.push(opened);
  return opened;
}

export async function closeEngines(): Promise<void> {
  for (const { app } of apps.splice(0)) await app.close();
}
