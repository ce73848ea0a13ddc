import { UnauthorizedException } from '@nestjs/common';
import { onEachPlatform } from '../../support/open-app.js';
import { sendRaw } from '../../support/raw-request.js';
import { BASICS, type Refusal, userOf } from '../../support/session-routes.js';

const FOREIGN = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' };

onEachPlatform('a refusal of what a page of another site sent', (open) => {
  it('is logged with the route, where it came from, and the option', async () => {
    const { browser, log } = await open({ routes: BASICS });
    const headers = { 'sec-fetch-site': 'same-site', origin: 'http://localhost:4200' };
    await browser().post('/do/in?user=ada', {}, headers);
    expect(log.lines).toEqual([
      {
        level: 'warn',
        context: 'Sessions',
        message: expect.stringMatching(
          / \(Origin: http:\/\/localhost:4200, Sec-Fetch-Site: same-site, Host: [\w.:]+\)\. /,
        ),
      },
    ]);
    expect(String(log.lines[0]?.message).replace(/, Host: [\w.:]+/, '')).toBe(
      'POST /do/:name: 403, because the page that sent the request is of another origin (Origin: ' +
        'http://localhost:4200, Sec-Fetch-Site: same-site). If it is yours, list its origin in the `csrf` option of ' +
        'SessionModule: csrf: { origins: [...] }. This is said once a minute at most',
    );
  });

  it('names the proxy that changes Host, where nothing but Host and Origin can be compared', async () => {
    const { browser, log } = await open({ routes: BASICS });
    await browser().post('/do/in?user=ada', {}, { host: 'app:3000', origin: 'https://app.example.com' });
    expect(log.lines.map(({ message }) => message)).toEqual([
      'POST /do/:name: 403, because the page that sent the request is of another origin (Origin: ' +
        "https://app.example.com, Host: app:3000). If it is the app's own, the proxy in front changes the Host header: " +
        'have it pass on the one that it gets. If it is of another site of yours, list its origin in the `csrf` option ' +
        'of SessionModule: csrf: { origins: [...] }. This is said once a minute at most',
    ]);
  });

  it('is logged once a minute at most, whatever is refused', async () => {
    const { browser, log, clock } = await open({
      routes: {
        ...BASICS,
        late: ({ session }, response) => {
          response.end('done');
          session.set('theme', 'dark');
        },
        fail: ({ session }) => {
          session.flash('error', 'Wrong password');
          throw new UnauthorizedException();
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const refuse = async () => {
      await ada.post('/do/set', {}, FOREIGN); // a change
      await browser().post('/do/set', { theme: 'dark' }, FOREIGN); // a beginning
      await browser().post('/do/in', {}, FOREIGN); // a sign-in
      await browser().post('/do/fail', {}, FOREIGN);
      await browser().post('/raw/late', {}, FOREIGN);
    };
    await refuse();
    clock.advance('59s');
    await refuse();
    expect(log.lines).toHaveLength(1);
    clock.advance('1s');
    await refuse();
    expect(log.lines).toHaveLength(2);
    expect(await userOf(ada)).toBe('ada');
  });

  it('hides no failure of the handler itself', async () => {
    const { browser, log } = await open({
      routes: {
        break: ({ session }) => {
          session.flash('error', 'Something broke');
          throw new Error('a bug');
        },
      },
    });
    expect((await browser().post('/do/break', {}, FOREIGN)).status).toBe(403);
    expect(log.sessionWarnings).toContainEqual(expect.stringContaining('a bug'));
  });

  it('is one short line, whatever its sender writes', async () => {
    const { port, log } = await open({ options: { mount: 'middleware' }, routes: BASICS });
    const lines = [
      'POST /do/in HTTP/1.1',
      'Host: app.test',
      'Content-Length: 0',
      'Connection: close',
      `Origin: https://\u009b31mevil\tx${'e'.repeat(5000)}`,
      `Sec-Fetch-Site: ${'é'.repeat(5000)}`,
    ];
    const { status } = await sendRaw(port, Buffer.from([...lines, '', ''].join('\r\n'), 'latin1'));
    expect(status).toBe(403);
    const [message = ''] = log.sessionWarnings;
    expect(message).toContain('Origin: https://?31mevil?xee');
    expect(message).toMatch(/^[\x20-\x7e]{100,600}$/);
  });

  it('names the Referrer-Policy, not the list, when the page hides its origin', async () => {
    const { browser, log } = await open({ routes: BASICS });
    const reply = await browser().post('/do/in', {}, { origin: 'null' });
    expect(reply.status).toBe(403);
    for (const said of [reply.json<Refusal>().message, ...log.sessionWarnings]) {
      expect(said).toContain('Referrer-Policy');
      expect(said).toContain('no-referrer');
      expect(said).toContain('helmet');
      expect(said).not.toContain('csrf');
    }
    expect(log.sessionWarnings).toHaveLength(1);
  });

  it('names both when a page of another site hides its origin', async () => {
    const { browser, log } = await open({ routes: BASICS });
    await browser().post('/do/in', {}, { 'sec-fetch-site': 'cross-site', origin: 'null' });
    expect(log.sessionWarnings).toEqual([expect.stringMatching(/Referrer-Policy.*`csrf\.origins`/)]);
  });

  it('is none where nothing was refused', async () => {
    const { browser, log } = await open({ routes: BASICS });
    await browser().post('/do/see', {}, FOREIGN);
    await browser().get('/do/see', { headers: FOREIGN });
    expect(log.lines).toEqual([]);
  });
});
