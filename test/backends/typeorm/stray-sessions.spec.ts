import { StraySessions } from '../../../src/backends/typeorm/stray-sessions.js';
import { sleep } from '../../../src/core/timers.js';

/** Storage with some sessions, which notes what it is asked to delete. */
function openStorage(...stored: readonly string[]) {
  const rows = new Set(stored);
  const asked: Array<readonly string[]> = [];
  let answer = (): Promise<void> => Promise.resolve();
  const strays = new StraySessions(async (ids) => {
    asked.push(ids);
    await answer();
    return ids.filter((id) => rows.delete(id)).map((id) => ({ id }));
  });
  return { strays, rows, asked, answerWith: (next: () => Promise<void>) => (answer = next) };
}

/** When there has been a first look, and when there has been a second one. */
const [FIRST, SECOND] = [1_300, 3_500];

describe('sessions whose insert has failed', () => {
  it('are deleted together, and looked for again only where they were not there yet', async () => {
    const { strays, rows, asked } = openStorage('a', 'kept');
    for (const id of ['a', 'late']) strays.note(id);
    await sleep(FIRST);
    expect([...rows]).toEqual(['kept']);
    rows.add('late');
    await sleep(SECOND - FIRST);
    expect([...rows]).toEqual(['kept']);
    expect(asked).toEqual([['a', 'late'], ['late']]);
    strays.close();
  });

  it('are looked for again when storage fails', async () => {
    const { strays, rows, answerWith } = openStorage('a');
    answerWith(() => Promise.reject(new Error('away')));
    strays.note('a');
    await sleep(FIRST);
    answerWith(() => Promise.resolve());
    expect([...rows]).toEqual(['a']);
    await sleep(SECOND - FIRST);
    expect([...rows]).toEqual([]);
    strays.close();
  });

  it('are not looked for once the backend is closed: not those before, nor after, nor while it looked', async () => {
    const { strays, asked, answerWith } = openStorage();
    let goOn = (): void => undefined;
    answerWith(() => new Promise<void>((resolve) => (goOn = resolve)));
    strays.note('before');
    await sleep(FIRST);
    strays.close();
    strays.note('after');
    goOn();
    await sleep(SECOND - FIRST);
    expect(asked).toEqual([['before']]);
  });
});
