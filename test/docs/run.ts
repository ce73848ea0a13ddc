import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format } from 'node:util';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { importedFiles, ROOT, withPreludes } from './compile.js';
import type { Snippet } from './document.js';

/** A folder with snippets as files, where the process works until it is closed. */
export interface Workplace {
  readonly path: string;
  /** Runs one of the files, and resolves to its exports. */
  run(file: string): Promise<unknown>;
  close(): void;
}

/**
 * Writes the snippets, and the files of other pages that they import, into a folder of their own, beside the
 * dependencies of the repository, and works there.
 */
export function openWorkplace(snippets: readonly Snippet[]): Workplace {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'docs-')));
  const before = process.cwd();
  symlinkSync(join(ROOT, 'node_modules'), join(path, 'node_modules'));
  writeFileSync(join(path, 'package.json'), '{ "type": "module" }');
  const preludePath = (name: string) => join(ROOT, 'test/docs/prelude', `${name}.ts`);
  for (const snippet of [...importedFiles(snippets), ...snippets])
    writeFileSync(join(path, snippet.file), withPreludes(snippet, preludePath));
  process.chdir(path);
  return {
    path,
    run: (file) => import(join(path, file)) as Promise<unknown>,
    close: () => {
      process.chdir(before);
      rmSync(path, { recursive: true });
    },
  };
}

/** A file whose app is not to start, without its data source, which would still be opening when the test is over. */
export function withoutDataSource<S extends Snippet>(snippet: S): S {
  return { ...snippet, code: snippet.code.replace(/^ *TypeOrmModule\.forRoot.*\n/m, '') };
}

/** Runs a file of tests, and hands them over, with what goes before and after each, instead of registering them. */
export async function testsOf(
  workplace: Workplace,
  file: string,
): Promise<[name: string, run: () => Promise<void>][]> {
  const tests: [string, () => unknown][] = [];
  const before: (() => unknown)[] = [];
  const after: (() => unknown)[] = [];
  const { it: registered, beforeEach: registeredBefore, afterEach: registeredAfter } = globalThis;
  globalThis.it = ((name: string, run: () => unknown) => void tests.push([name, run])) as typeof it;
  globalThis.beforeEach = ((hook: () => unknown) => void before.push(hook)) as typeof beforeEach;
  globalThis.afterEach = ((hook: () => unknown) => void after.push(hook)) as typeof afterEach;
  try {
    await workplace.run(file);
  } finally {
    Object.assign(globalThis, { it: registered, beforeEach: registeredBefore, afterEach: registeredAfter });
  }
  return tests.map(([name, run]) => [
    name,
    async () => {
      for (const hook of before) await hook();
      try {
        await run();
      } finally {
        for (const hook of after) await hook();
      }
    },
  ]);
}

/** What a file prints. */
export async function outputOf(workplace: Workplace, file: string): Promise<string[]> {
  const lines: string[] = [];
  const print = console.log;
  console.log = (...values: unknown[]) => void lines.push(format(...values));
  try {
    await workplace.run(file);
  } finally {
    console.log = print;
  }
  return lines;
}

/** What the comments behind its `console.log()` say that it prints. */
export function promisedOutput({ code }: Snippet): string[] {
  return [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line = '']) => line);
}

/** The app that a main file starts, on a port of its own. Who calls it closes the app. */
export async function startMain(
  main: () => Promise<unknown>,
): Promise<{ app: INestApplication; url: string }> {
  const portBefore = process.env['PORT'];
  const create = import.meta.jest.spyOn(NestFactory, 'create');
  process.env['PORT'] = '0';
  try {
    await main();
    const app = (await create.mock.results[0]?.value) as INestApplication;
    const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
    return { app, url: `http://127.0.0.1:${port}` };
  } finally {
    create.mockRestore();
    process.env['PORT'] = portBefore;
  }
}
