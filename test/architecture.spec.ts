import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { membersOf } from './docs/source-facts.js';
import { temporaryFolder } from './support/nest-app.js';
import {
  circles,
  forbiddenArrows,
  importsOf,
  misplacedSpecs,
  replaceableTimers,
  type Sources,
  undocumentedExports,
  unnamedExports,
} from './support/source-rules.js';

const ROOT = join(import.meta.dirname, '../src');

function read(root: string): Sources {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return new Map(files.map((file) => [file.split(sep).join('/'), readFileSync(join(root, file), 'utf8')]));
}

const sources = read(ROOT);

describe('src', () => {
  it('was read', () => {
    expect(sources.size).toBeGreaterThan(60);
    expect(importsOf(sources.get('core/session-options.ts') ?? '')).toContain('./clock.js');
  });

  it('has no arrow but the allowed ones', () => {
    expect(forbiddenArrows(sources)).toEqual([]);
  });

  it('has no circular imports', () => {
    expect(circles(sources)).toEqual([]);
  });

  it('takes time from core/timers, which no test of an app replaces', () => {
    expect(replaceableTimers(sources)).toEqual([]);
  });

  it('has named exports only, each named where it is exported', () => {
    expect(unnamedExports(sources)).toEqual([]);
  });

  it.each([
    'index.ts',
    'testing/index.ts',
    'backends/redis/index.ts',
    'backends/typeorm/schema/session-migrations.ts',
  ])('documents everything that %s exports', (entry) => {
    expect(undocumentedExports([join(ROOT, entry)])).toEqual([]);
  });
});

describe('test', () => {
  const specs = [...read(join(ROOT, '../test')).keys()];
  // What a handler holds has a spec for each member of `Session`.
  const members = membersOf('src/http/session.interface.ts', 'RequestSession');
  const problems = misplacedSpecs(specs, [...sources.keys()], {
    'http/session': members.map((member) => member.split('(', 1)[0] ?? ''),
  });

  it('mirrors src', () => {
    expect(specs.length).toBeGreaterThan(100);
    expect(problems).toEqual([]);
  });
});

describe('the rules', () => {
  it.each([
    ['setImmediate(() => 1);', 'setImmediate'],
    ['process.nextTick(() => 1);', 'nextTick'],
    ['const now = globalThis.performance;', 'performance'],
    ["import { setTimeout } from 'node:timers/promises';", 'node:timers/promises'],
    ['const after = setTimeout;', 'setTimeout'],
  ])('find the timer in: %s', (text, name) => {
    expect(replaceableTimers(new Map([['core/x.ts', text]]))).toEqual([`core/x.ts: ${name}`]);
  });

  it('find none where it is ours, or a method of something else', () => {
    const text = "import { setTimeout } from '../core/timers.js'; setTimeout(f, 1); socket.setTimeout(1);";
    expect(replaceableTimers(new Map([['http/x.ts', text]]))).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['core/x.ts', "import { Injectable } from '@nestjs/common';", '@nestjs/common'],
    ['core/x.ts', "import type { DataSource } from 'typeorm';", 'typeorm'],
    ['core/x.ts', "import { IncomingMessage } from 'http';", 'http'],
    ['core/x.ts', "import { SessionCookie } from '../http/session-cookie.js';", 'http/session-cookie.ts'],
    ['core/x.ts', "export { resolveOptions } from '../session.options.js';", 'session.options.ts'],
    ['core/x.ts', "const rxjs = await import('rxjs');", 'rxjs'],
    ['core/x.ts', "import '../index.js';", 'index.ts'],
    [
      'http/x.ts',
      "import type { SessionCleanup } from '../ops/session-cleanup.js';",
      'ops/session-cleanup.ts',
    ],
    [
      'http/x.ts',
      "import { SessionEntity } from '../backends/typeorm/schema/session.entity.js';",
      'backends/typeorm/schema/session.entity.ts',
    ],
    ['http/x.ts', "import express from 'express';", 'express'],
    ['http/platform/x.ts', "import { y } from '../errors/y.js';", 'http/errors/y.ts'],
    ['http/session/x.ts', "import type { Y } from '../request/y.js';", 'http/request/y.ts'],
    ['http/request/x.ts', "import { y } from '../session.guard.js';", 'http/session.guard.ts'],
    ['http/response/x.ts', "import { y } from '../http-options.js';", 'http/http-options.ts'],
    ['http/security/x.ts', "import { from } from 'rxjs';", 'rxjs'],
    ['ops/x.ts', "import { sessionOf } from '../http/session-of.js';", 'http/session-of.ts'],
    ['ops/x.ts', "import { SessionModule } from '../session.module.js';", 'session.module.ts'],
    [
      'backends/typeorm/x.ts',
      "import { rows } from '../memory/memory-session-backend.js';",
      'backends/memory/memory-session-backend.ts',
    ],
    ['backends/typeorm/sqlite/x.ts', "import { Logger } from '@nestjs/common';", '@nestjs/common'],
    ['backends/memory/x.ts', "import { DataSource } from 'typeorm';", 'typeorm'],
    ['testing/x.ts', "import { SessionCleanup } from '../ops/session-cleanup.js';", 'ops/session-cleanup.ts'],
    [
      'session.options.ts',
      "import { ManualClock } from './testing/manual-clock.js';",
      'testing/manual-clock.ts',
    ],
    ['session.options.ts', "import { SessionModule } from './session.module.js';", 'session.module.ts'],
    ['schematics/x.ts', "import { DataSource } from 'typeorm';", 'typeorm'],
    ['index.ts', "export { ManualClock } from './testing/manual-clock.js';", 'testing/manual-clock.ts'],
  ])('notice in %s: %s', (file, text, target) => {
    expect(forbiddenArrows(new Map([[file, text]]))).toEqual([`${file} imports ${target}`]);
  });

  it('let a room import those before it', () => {
    const text = "import '../session/a.js'; import '../../core/b.js'; import '../http-options.js';";
    expect(forbiddenArrows(new Map([['http/request/x.ts', text]]))).toEqual([]);
  });

  it('notice a forbidden arrow among the real files', () => {
    const file = 'core/session-store.ts';
    const text = `import { Injectable } from '@nestjs/common';\n${sources.get(file) ?? ''}`;
    expect(forbiddenArrows(new Map([...sources, [file, text]]))).toEqual([`${file} imports @nestjs/common`]);
  });

  it('notice a file outside the rooms', () => {
    expect(forbiddenArrows(new Map([['utils/helpers.ts', '']]))).toEqual(['utils/helpers.ts is in no room']);
  });

  it('notice circles, also of types', () => {
    const circle: Sources = new Map([
      ['core/a.ts', "import type { B } from './b.js';"],
      ['core/b.ts', "export { c } from './c.js';"],
      ['core/c.ts', "import { a } from './a.js';"],
      ['core/d.ts', "import { c } from './c.js';"],
    ]);
    expect(circles(circle)).toEqual(['core/a.ts → core/b.ts → core/c.ts → core/a.ts']);
  });

  it.each([
    ['core/key-ring.spec.ts', ['core/key-ring.ts'], []],
    ['core/key-ring.rotation.spec.ts', ['core/key-ring.ts'], []],
    ['core/key-ring-rotation.matrix.spec.ts', ['core/key-ring.ts'], []],
    ['backends/pool.spec.ts', ['backends/pool/connection.ts'], []],
    ['http/session/take-once.spec.ts', [], []],
    ['behaviour/rotation.spec.ts', [], []],
    ['docs.spec.ts', [], []],
    [
      'core/key-ring.spec.ts',
      ['core/ring.ts', 'core/keys/key-ring.ts'],
      ['test/core/key-ring.spec.ts should be test/core/keys/key-ring.spec.ts'],
    ],
    [
      'http/cookies.spec.ts',
      ['http/response/cookie.ts', 'http/cook.ts'],
      [
        'test/http/cookies.spec.ts: nothing in src/http has that name; what crosses rooms is in test/behaviour',
      ],
    ],
  ])('know where a spec should be: %s beside %j', (spec, files, problems) => {
    expect(misplacedSpecs([spec], files, { 'http/session': ['take'] })).toEqual(problems);
  });

  it.each([
    'export default class {}',
    'export default 5;',
    "export * from './a.js';",
    "export * as a from './a.js';",
  ])('notice `%s`', (text) => {
    expect(unnamedExports(new Map([['core/x.ts', text]]))).toEqual([`core/x.ts: ${text}`]);
  });

  it('notice exports without a doc comment, wherever they are declared', () => {
    const folder = temporaryFolder();
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(folder.path(file)), { recursive: true });
      writeFileSync(folder.path(file), text);
    };
    write('package.json', '{ "type": "module" }');
    write(
      'b.ts',
      '/** Said. */\nexport const said = 1;\nexport const unsaid = 2;\n/** */\nexport interface Empty {}',
    );
    write('index.ts', "export { said, unsaid, type Empty } from './b.js';");
    expect(undocumentedExports([folder.path('index.ts')])).toEqual(['unsaid', 'Empty']);
    folder.remove();
  });
});
