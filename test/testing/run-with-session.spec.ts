import { currentSession } from 'nest-sessions';
import { createTestSession, runWithSession } from 'nest-sessions/testing';
import { setImmediate as turn } from 'node:timers/promises';

class Greeting {
  async say(): Promise<string> {
    await turn();
    return `Hello, ${currentSession()?.userId ?? 'visitor'}`;
  }
}

describe('runWithSession', () => {
  it('makes the session that of the code below, also later, and of each call its own', async () => {
    const [ada, bob] = [
      await createTestSession({ userId: 'ada' }),
      await createTestSession({ userId: 'bob' }),
    ];
    const service = new Greeting();
    const said = [ada, bob, null].map((session) => runWithSession(session, () => service.say()));
    expect(await Promise.all(said)).toEqual(['Hello, ada', 'Hello, bob', 'Hello, visitor']);
    expect(currentSession()).toBeNull();
  });

  it('gives the very session, and what is changed in it', async () => {
    const ada = await createTestSession<{ theme?: string }>({ userId: 'ada' });
    runWithSession(ada, () => {
      const session = currentSession<{ theme?: string }>();
      expect(session).toBe(ada);
      if (session) session.data.theme = 'dark';
    });
    expect(ada.data).toEqual({ theme: 'dark' });
  });

  it('returns what the work returns, and throws what it throws', async () => {
    const ada = await createTestSession({ userId: 'ada' });
    expect(runWithSession(ada, () => 7)).toBe(7);
    expect(() =>
      runWithSession(ada, () => {
        throw new Error('of the work');
      }),
    ).toThrow('of the work');
  });
});
