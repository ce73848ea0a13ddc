import { Controller, Get, Post, UnauthorizedException } from '@nestjs/common';
import { Session } from 'nest-sessions';
import { createTestSession } from 'nest-sessions/testing';

interface Cart {
  items?: string[];
  coupon?: string;
}

/** A controller whose methods are called directly, without a request. */
@Controller()
class CartController {
  @Post('login')
  async login(session: Session<Cart>, user: string): Promise<void> {
    await session.authenticate(user);
    session.flash('info', 'Welcome');
  }

  @Post('cart')
  add(@Session() session: Session<Cart>, item: string): Promise<number> {
    return session.update((data) => (data.items ??= []).push(item));
  }

  @Get('cart')
  show(@Session() session: Session<Cart>): string[] {
    if (!session.isAuthenticated) throw new UnauthorizedException();
    return session.data.items ?? [];
  }

  @Post('logout')
  logout(@Session() session: Session<Cart>): Promise<void> {
    return session.logout();
  }
}

const controller = new CartController();

describe('createTestSession', () => {
  it('is anonymous and empty when nothing is said', async () => {
    const session = await createTestSession<Cart>();
    expect(session).toMatchObject({ id: null, userId: null, isAuthenticated: false, isNew: true });
    expect(session.data).toEqual({});
    expect(await session.list()).toEqual([]);
    expect(() => controller.show(session)).toThrow(UnauthorizedException);
  });

  it('is anonymous with data', async () => {
    const session = await createTestSession<Cart>({ data: { items: ['tea'] } });
    expect(session).toMatchObject({ userId: null, isAuthenticated: false, isNew: false });
    expect(await controller.add(session, 'milk')).toBe(2);
    expect(session.data).toEqual({ items: ['tea', 'milk'] });
  });

  it('is signed in, with data', async () => {
    const session = await createTestSession<Cart>({ userId: 'ada', data: { items: ['tea'] } });
    expect(session).toMatchObject({ userId: 'ada', isAuthenticated: true, isNew: false });
    expect(session.id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(session.authenticatedAt).toBeInstanceOf(Date);
    expect(controller.show(session)).toEqual(['tea']);
    expect(await controller.add(session, 'milk')).toBe(2);
    expect(controller.show(session)).toEqual(['tea', 'milk']);
  });

  it('takes user ids as apps have them', async () => {
    expect((await createTestSession({ userId: 42 })).userId).toBe('42');
    expect((await createTestSession({ userId: 42n })).userId).toBe('42');
    await expect(createTestSession({ userId: '' })).rejects.toThrow('Invalid user id');
  });

  it('signs in, and carries data over', async () => {
    const session = await createTestSession<Cart>({ data: { coupon: 'SPRING' } });
    const before = session.id;
    await controller.login(session, 'ada');
    expect(session).toMatchObject({ userId: 'ada', isAuthenticated: true });
    expect(session.id).not.toBe(before);
    expect(session.data).toEqual({ coupon: 'SPRING' });
    expect(session.flashes()).toEqual([expect.objectContaining({ kind: 'info', text: 'Welcome' })]);
  });

  it('works as in a request: keys, saving, devices, rotation', async () => {
    const session = await createTestSession<Cart>({ userId: 'ada' });
    session.set('coupon', 'SPRING');
    await session.save();
    expect(session.take('coupon')).toBe('SPRING');
    await session.save();
    expect(await session.takeOnce('coupon')).toBeUndefined();
    expect(await session.list()).toEqual([
      expect.objectContaining({ id: session.id, current: true, integrity: 'intact' }),
    ]);
    await session.reauthenticate();
    await session.rotate();
    expect(session).toMatchObject({ userId: 'ada', isAuthenticated: true });
    expect(await session.logoutOthers()).toBe(0);
  });

  it('logs out, and is anonymous afterwards', async () => {
    const session = await createTestSession<Cart>({ userId: 'ada', data: { items: ['tea'] } });
    await controller.logout(session);
    expect(session).toMatchObject({ id: null, userId: null, isAuthenticated: false });
    expect(session.data).toEqual({});
    await controller.logout(session);
  });

  it('ends when it is revoked', async () => {
    const session = await createTestSession<Cart>({ userId: 'ada' });
    expect(await session.revoke(session.id ?? '')).toBe(true);
    expect(session).toMatchObject({ id: null, userId: null, isAuthenticated: false });
    expect(await session.list()).toEqual([]);
  });

  it('signs in clients without cookies too, whatever the app allows', async () => {
    const session = await createTestSession<Cart>({ data: { items: ['tea'] } });
    const token = await session.authenticate('ada', { transport: 'bearer' });
    expect(token.reveal()).toMatch(/^[\w-]{119}$/);
    expect(session).toMatchObject({ userId: 'ada', data: { items: ['tea'] } });
  });

  it('shares nothing with another', async () => {
    const [one, other] = [
      await createTestSession({ userId: 'ada' }),
      await createTestSession({ userId: 'ada' }),
    ];
    expect(await one.list()).toHaveLength(1);
    expect(await one.revoke(other.id ?? '')).toBe(false);
  });
});
