import { randomUUID } from 'node:crypto';
import { BullModule } from '@nestjs/bullmq';
import { Queue, QueueEvents } from 'bullmq';
import { signIn } from 'nest-sessions/testing';
import { answersAt } from '../support/databases.js';
import { openPage } from './page-app.js';

const { hostname: host, port } = new URL(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379');
const connection = { host, port: Number(port || 6379) };

/** With `CI=true` it has to be there. */
const isThere = process.env['CI'] === 'true' || (await answersAt(connection));

(isThere ? describe : describe.skip)('a queue of BullMQ', () => {
  it('has a worker that ends the sessions of a user', async () => {
    const page = openPage('docs/services.md', { goesOnWith: 'docs/getting-started.md' });
    const prefix = `test-${randomUUID()}`;
    const options = { connection, prefix };
    const { app, get } = await page.start({
      imports: [BullModule.forRoot(options), BullModule.registerQueue({ name: 'accounts' })],
      providers: [await page.recipe('accounts.processor.ts', 'AccountsProcessor')],
    });
    const [ada, bob] = [await signIn(app, 'ada'), await signIn(app, 'bob')];
    const [queue, events] = [new Queue('accounts', options), new QueueEvents('accounts', options)];
    try {
      const job = await queue.add('close', { userId: 'ada' });
      expect(await job.waitUntilFinished(events)).toEqual({ ended: 1 });
      await get('/devices', ada.cookie).expect(401);
      await get('/devices', bob.cookie).expect(200);
    } finally {
      await queue.obliterate({ force: true });
      await Promise.all([queue.close(), events.close()]);
      await page.close();
    }
  });
});
