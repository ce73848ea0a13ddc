import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { ROOT, shownFile } from './compile.js';
import { Document } from './document.js';
import { withoutDataSource, openWorkplace, testsOf } from './run.js';

Logger.overrideLogger(false);
const PAGE = 'docs/testing.md';
const page = Document.read(join(ROOT, PAGE));
const specs = page.snippets.filter(
  ({ file }) => file.endsWith('.spec.ts') && file !== 'login-fastify.spec.ts',
);

/** The apps that the configurations of the page are tried on, by scripts/check-apps.sh. */
const APPS = [
  { app: 'nest11-cjs', heading: 'Jest, CommonJS' },
  { app: 'nest12-esm', heading: 'Jest, ESM' },
] as const;

function ofApp(app: string, file: string): string {
  return readFileSync(join(ROOT, 'test/apps', app, file), 'utf8');
}

/** The first block of JSON below a heading. */
function jsonUnder(heading: string): Record<string, unknown> {
  const [, section = ''] = page.text.split(`\n### ${heading}\n`);
  const [, json = ''] = /^```json\n([^]*?)\n```$/m.exec(section.split('\n## ', 1)[0] ?? '') ?? [];
  return JSON.parse(json) as Record<string, unknown>;
}

/** Without what a CommonJS app leaves out, and the line that names the file. */
function codeOf(code: string): string {
  return code
    .replace(/^\/\/ .*\n/, '')
    .replaceAll(/(from '\.\/[\w.-]+)\.js'/g, "$1'")
    .trim();
}

describe('the tests that the page shows', () => {
  const keyBefore = process.env['SESSION_KEY'];
  beforeEach(() => delete process.env['SESSION_KEY']);
  afterEach(() => {
    process.env['SESSION_KEY'] = keyBefore;
  });

  it('are those of a controller, of a sign-in, and of a timeout', () => {
    expect(specs.map(({ file }) => file)).toEqual(['app.spec.ts', 'login.spec.ts', 'expiry.spec.ts']);
  });

  it.each(specs)('pass once the setup file has made a key: $file', async (spec) => {
    const place = openWorkplace([spec, shownFile('session-key.ts', PAGE)]);
    try {
      await place.run('session-key.ts');
      expect(Buffer.from(process.env['SESSION_KEY'] ?? '', 'base64url')).toHaveLength(32);
      const tests = await testsOf(place, spec.file);
      expect(tests.length).toBeGreaterThan(0);
      for (const [, run] of tests) await run();
      expect(readdirSync(place.path).filter((name) => name.includes('sessions'))).toEqual([]);
    } finally {
      place.close();
    }
  });

  it('fail as the page says without one', async () => {
    const place = openWorkplace([
      shownFile('login.spec.ts', PAGE),
      withoutDataSource(shownFile('app.module.ts', PAGE)),
    ]);
    try {
      const [[, run]] = (await testsOf(place, 'login.spec.ts')) as [[string, () => Promise<void>]];
      const message = 'expected the encryption key, 32 bytes, got undefined';
      expect(page.text).toContain(message);
      await expect(run()).rejects.toThrow(message);
    } finally {
      place.close();
    }
  });

  it("fail without the line that mends supertest's jar", async () => {
    const spec = shownFile('login.spec.ts', PAGE);
    process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
    const place = openWorkplace([{ ...spec, code: spec.code.replace(/^\s*agent\.jar.*$/m, '') }]);
    try {
      const [[, withAgent], [, byHand]] = (await testsOf(place, 'login.spec.ts')) as [
        [string, () => Promise<void>],
        [string, () => Promise<void>],
      ];
      await expect(withAgent()).rejects.toThrow('expected 200 "OK", got 401');
      await byHand();
    } finally {
      place.close();
    }
  });

  it('pass with supertest on Fastify, once it is ready', async () => {
    const spec = shownFile('login.spec.ts', PAGE);
    const ready = 'await app.getHttpAdapter().getInstance().ready()';
    expect(page.text).toContain(ready);
    const code =
      "import { FastifyAdapter } from '@nestjs/platform-fastify';\n" +
      spec.code.replace(
        'app = await testing.createNestApplication().init();',
        `app = await testing.createNestApplication(new FastifyAdapter()).init(); ${ready};`,
      );
    expect(code).toContain(ready);
    process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
    const place = openWorkplace([{ ...spec, code }]);
    try {
      for (const [, run] of await testsOf(place, 'login.spec.ts')) await run();
    } finally {
      place.close();
    }
  });
});

describe.each(APPS)('the app $app, which the configuration "$heading" is tried on,', ({ app, heading }) => {
  it.each(specs)('has the spec of the page: $file', ({ file, code }) => {
    expect(codeOf(ofApp(app, file))).toBe(codeOf(code));
  });

  it('has the app of the quick start, and the setup file', () => {
    expect(codeOf(ofApp(app, 'app.module.ts'))).toBe(codeOf(shownFile('app.module.ts', PAGE).code));
    expect(codeOf(ofApp(app, 'test/session-key.ts'))).toBe(codeOf(shownFile('session-key.ts', PAGE).code));
  });

  it('has that configuration of Jest', () => {
    const { jest } = JSON.parse(ofApp(app, 'package.json')) as { jest: Record<string, unknown> };
    delete jest['testPathIgnorePatterns']; // which leaves the spec for Vitest to Vitest
    const shown = JSON.parse(
      JSON.stringify(jsonUnder(heading)).replaceAll('<rootDir>/../', '<rootDir>/'),
    ) as object;
    expect({ ...jest, rootDir: '' }).toEqual({ ...shown, rootDir: '' });
  });
});

describe('the app nest12-esm', () => {
  it('has the spec that only Vitest runs on every Node', () => {
    const { file, code } = shownFile('login-fastify.spec.ts', PAGE);
    expect(codeOf(ofApp('nest12-esm', file))).toBe(codeOf(code));
  });

  it('has the configuration of Vitest, and the command for Jest', () => {
    const shown = shownFile('vitest.config.ts', PAGE);
    expect(codeOf(ofApp('nest12-esm', shown.file))).toBe(codeOf(shown.code));
    const { scripts } = JSON.parse(ofApp('nest12-esm', 'package.json')) as { scripts: { test: string } };
    expect(page.text).toContain(JSON.stringify(scripts.test));
  });
});
