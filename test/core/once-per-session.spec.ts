import { OncePerSession } from '../../src/core/once-per-session.js';

describe('what is told once per session', () => {
  it('is new for each session, the first time', () => {
    const told = new OncePerSession();
    expect(['a', 'b', 'a', 'b'].map((id) => told.isFirst(id))).toEqual([true, true, false, false]);
  });

  it('is kept for 10,000 sessions, of which the oldest is forgotten first', () => {
    const told = new OncePerSession();
    for (let n = 0; n < 10_001; n++) told.isFirst(`session ${n}`);
    expect([told.isFirst('session 1'), told.isFirst('session 10000'), told.isFirst('session 0')]).toEqual([
      false,
      false,
      true,
    ]);
  });
});
