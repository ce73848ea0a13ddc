import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Browser } from '../support/browser.js';
import { FAILING_CALLS, sendFailing, WAYS_TO_TAKE } from './support/forgotten-calls.js';
import { PLATFORMS } from '../support/open-app.js';
import { refusal } from '../support/session-routes.js';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const children = new Set<ChildProcess>();

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.disconnect();
      await once(child, 'exit');
    }
  }
  children.clear();
});

async function startForgetful(
  platform: string,
  mount: string,
): Promise<{ child: ChildProcess; port: number }> {
  const execArgv = ['--import', path('../backends/typeorm/support/ts-register.mjs')];
  const child = fork(path('./support/forgetful-main.ts'), [platform, mount], { execArgv });
  children.add(child);
  const [port] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [number];
  return { child, port };
}

describe.each(PLATFORMS)('rule 17, a process with an app on %s', (platform) => {
  it.each(['guard', 'middleware'])('outlives whatever is forgotten, with mount: %p', async (mount) => {
    const { child, port } = await startForgetful(platform, mount);
    for (const call of FAILING_CALLS) {
      for (const way of Object.keys(WAYS_TO_TAKE)) {
        for (const answer of ['do', 'raw'] as const) {
          const reply = await sendFailing(new Browser(port), call, way, answer);
          const said = [call.title, way, answer, refusal(reply), child.exitCode];
          const { status, code } = call;
          expect(said).toEqual([call.title, way, answer, { status, code }, null]);
        }
      }
    }
  });
});
