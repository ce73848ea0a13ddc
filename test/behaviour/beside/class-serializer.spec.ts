import 'reflect-metadata';
import { ClassSerializerInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type AppSetup, onEachPlatform, type TestApp } from '../../support/open-app.js';
import { BASICS } from '../../support/session-routes.js';

onEachPlatform('ClassSerializerInterceptor', (open) => {
  /** An app whose every answer goes through class-transformer. */
  async function openSerializing(
    routes: (app: () => TestApp) => NonNullable<AppSetup['routes']>,
  ): Promise<TestApp> {
    const opened: TestApp = await open({
      routes: { ...BASICS, ...routes(() => opened) },
      prepare: (app) => void app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector))),
    });
    return opened;
  }

  it('shows of a record what may be seen, and no data', async () => {
    const { browser, store } = await openSerializing((app) => ({
      records: async ({ session }) => {
        const [record] = await app().store.listForUser('ada');
        return { record, nested: { list: [record] }, own: await app().store.read(session.id ?? '') };
      },
    }));
    const { session } = await store.create({ ip: '192.0.2.1' }, 'ada', { secret: 'xyzzy' });
    const visitor = browser();
    await visitor.post('/do/in?user=bob');
    await visitor.post('/do/set', { theme: 'xyzzy' });
    const { text } = await visitor.get('/do/records');
    expect(text).toContain(session.id);
    for (const hidden of ['xyzzy', 'data', 'secret', 'theme']) expect(text).not.toContain(hidden);
    expect(JSON.parse(text)).toMatchObject({
      record: { id: session.id, userId: 'ada', integrity: 'intact' },
    });
  });

  it('shows no token, and nothing of the session of the request', async () => {
    const { browser, storage } = await openSerializing((app) => ({
      created: () => app().store.create({}, 'ada', { secret: 'xyzzy' }),
      session: ({ session }) => ({ session, nested: [session] }),
    }));
    const visitor = browser();
    await visitor.post('/do/in?user=bob');
    await visitor.post('/do/set', { theme: 'xyzzy' });
    const token = (await visitor.cookie())?.slice(26) ?? 'no cookie';
    for (const path of ['/do/created', '/do/session', '/do/list']) {
      const { status, text } = await visitor.get(path);
      expect(status).toBe(200);
      for (const hidden of ['xyzzy', 'hash', 'payload', token]) expect(text).not.toContain(hidden);
    }
    expect(storage.calls).toContain('insert');
  });
});
