import 'reflect-metadata';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

/** What the app takes from the build. */
const ENTRY = 'index.js';
const TESTING_ENTRY = 'testing/index.js';

const WARM_UPS = 3;

/** The root module. What it consists of is said when an app is created. */
function Root() {}
Module({})(Root);

/**
 * Opens an app on an instrumented build and records one request of each kind, once the same requests have been
 * served before.
 *
 * @returns the calls of `read`, `sign-in` and `save`
 */
export async function recordRequests(build, recorder, { platform, backend }) {
  const app = await openMeasuredApp(build, { platform, backend }, recorder);
  const agent = new Agent({ keepAlive: true });
  try {
    const { port } = app.getHttpServer().address();
    const send = (method, path, cookie) => exchange({ agent, port, method, path, cookie });
    const steps = {
      read: async () => send('GET', '/read', await signedIn(send)),
      'sign-in': async () => send('POST', '/sign-in', undefined),
      save: async () => send('POST', '/save', await signedIn(send)),
    };
    const recorded = {};
    for (const [kind, step] of Object.entries(steps)) {
      for (let i = 0; i < WARM_UPS; i++) await step();
      recorded[kind] = await record(recorder, send, kind);
    }
    return recorded;
  } finally {
    agent.destroy();
    await app.close();
  }
}

/** Is told nothing. */
const NO_RECORDER = { enterPart() {} };

/** An app on a build that listens, with the routes `GET /read`, `POST /sign-in` and `POST /save`. */
export async function openMeasuredApp(build, { platform, backend }, recorder = NO_RECORDER) {
  const library = await import(pathToFileURL(join(build, ENTRY)));
  const testing = await import(pathToFileURL(join(build, TESTING_ENTRY)));
  const imports = sessionImports(library, testing, backend);
  const root = { module: Root, imports, controllers: [controllerOf(library, recorder)] };
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(root, adapter, { logger: ['warn', 'error', 'fatal'] });
  await app.listen(0, '127.0.0.1');
  return app;
}

/** One request, from its arrival until one turn of the event loop after its response has ended. */
async function record(recorder, send, kind) {
  const cookie = kind === 'sign-in' ? undefined : await signedIn(send);
  await nextTurn();
  recorder.start();
  await send(kind === 'read' ? 'GET' : 'POST', `/${kind}`, cookie);
  await nextTurn();
  return recorder.stop();
}

/** A session of its own, with data in it; its cookie. */
async function signedIn(send) {
  const cookie = cookieOf(await send('POST', '/sign-in', undefined));
  await send('POST', '/save', cookie);
  return cookie;
}

/** The Cookie header that a browser would make of a response's cookies. */
function cookieOf({ headers }) {
  return (headers['set-cookie'] ?? []).map((line) => line.split(';', 1)[0]).join('; ');
}

function sessionImports({ SessionModule }, { MemorySessionBackend }, backend) {
  const key = Buffer.alloc(32, 'never used outside this script');
  if (backend === 'memory') return [SessionModule.forRoot({ key, backend: MemorySessionBackend })];
  const database = { type: 'better-sqlite3', database: ':memory:', autoLoadEntities: true };
  return [TypeOrmModule.forRoot(database), SessionModule.forRoot({ key })];
}

/** Decorators are called as functions, because Node runs this file as it stands. */
function controllerOf({ Session }, recorder) {
  let saved = 0;
  class Measured {
    read(session) {
      return inHandler(recorder, () => ({ x: session.data.x ?? null }));
    }

    signIn(session) {
      return inHandler(recorder, () => session.authenticate('ada'));
    }

    save(session) {
      return inHandler(recorder, () => void (session.data.x = ++saved));
    }
  }
  const routes = { read: Get('read'), signIn: Post('sign-in'), save: Post('save') };
  for (const [name, route] of Object.entries(routes)) {
    Session()(Measured.prototype, name, 0);
    route(Measured.prototype, name, Object.getOwnPropertyDescriptor(Measured.prototype, name));
  }
  Controller()(Measured);
  return Measured;
}

async function inHandler(recorder, work) {
  recorder.enterPart('handler');
  try {
    return await work();
  } finally {
    recorder.enterPart('out');
  }
}

async function exchange({ agent, port, method, path, cookie }) {
  const headers = { ...(cookie && { cookie }), ...(method === 'POST' && { 'content-length': 0 }) };
  const sent = request({ agent, host: '127.0.0.1', port, method, path, headers });
  sent.end();
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  if (response.statusCode >= 400) {
    throw new Error(`Expected ${method} ${path} to succeed, got status ${response.statusCode}`);
  }
  return response;
}
