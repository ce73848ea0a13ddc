import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { temporaryFolder } from './support/nest-app.js';
import {
  circles,
  forbiddenArrows,
  importsOf,
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

  it.each(['index.ts', 'testing/index.ts', 'backends/typeorm/schema/session-migrations.ts'])(
    'documents everything that %s exports',
    (entry) => {
      expect(undocumentedExports([join(ROOT, entry)])).toEqual([]);
    },
  );
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
    ['index.ts', "export { ManualClock } from './testing/manual-clock.js';", 'testing/manual-clock.ts'],
  ])('notice in %s: %s', (file, text, target) => {
    expect(forbiddenArrows(new Map([[file, text]]))).toEqual([`${file} imports ${target}`]);
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
