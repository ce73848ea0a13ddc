import { createTestSession } from 'nest-sessions/testing';
import { AccountController } from './app.module';

it('signs in', async () => {
  const session = await createTestSession({ data: { cart: [{ sku: 'A-1', count: 1 }] } });
  await new AccountController().login('ada', session);
  expect(session.userId).toBe('ada');
  expect(session.data).toEqual({ cart: [{ sku: 'A-1', count: 1 }] });
});

it('lists devices', async () => {
  const session = await createTestSession({ userId: 'ada' });
  expect(await new AccountController().devices(session)).toMatchObject([{ current: true }]);
});
