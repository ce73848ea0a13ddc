import ts from 'typescript';
import { appModulePath, importsSessionModule, withSessionModule } from '../../src/schematics/app-module.js';

const LINES = ['SessionModule.forRoot({', '  key: process.env.SESSION_KEY,', '})'];
const add = (text: string, before = './load-env.js'): string | null =>
  withSessionModule(ts, text, { lines: LINES, before });

/** A module with that metadata. */
const moduleWith = (metadata: string): string => `import { Module } from '@nestjs/common';
import { CatsModule } from './cats.module.js';

@Module(${metadata})
export class AppModule {}
`;
/** What `add` makes of it. */
const addedTo = (metadata: string): string => `import './load-env.js';
import { Module } from '@nestjs/common';
import { CatsModule } from './cats.module.js';
import { SessionModule } from 'nest-sessions';

@Module(${metadata})
export class AppModule {}
`;
const MEMBER = `    SessionModule.forRoot({
      key: process.env.SESSION_KEY,
    }),`;

describe('withSessionModule', () => {
  it.each([
    [
      'an empty list',
      `{\n  imports: [],\n  providers: [A],\n}`,
      `{\n  imports: [\n${MEMBER}\n  ],\n  providers: [A],\n}`,
    ],
    [
      'a list on one line',
      `{\n  imports: [A, B.forRoot([1, 2])],\n}`,
      `{\n  imports: [\n    A,\n    B.forRoot([1, 2]),\n${MEMBER}\n  ],\n}`,
    ],
    [
      'a list on several lines',
      `{\n  imports: [\n    A,\n    B,\n  ],\n}`,
      `{\n  imports: [\n    A,\n    B,\n${MEMBER}\n  ],\n}`,
    ],
    [
      'a list without a last comma',
      `{\n  imports: [\n    A,\n    B\n  ]\n}`,
      `{\n  imports: [\n    A,\n    B,\n${MEMBER}\n  ]\n}`,
    ],
    [
      'a list that ends in a comment',
      `{\n  imports: [\n    A, // the first\n  ],\n}`,
      `{\n  imports: [\n    A, // the first\n${MEMBER}\n  ],\n}`,
    ],
    ['no list', `{\n  providers: [A],\n}`, `{\n  imports: [\n${MEMBER}\n  ],\n  providers: [A],\n}`],
    ['nothing', `{}`, `{\n  imports: [\n${MEMBER}\n  ],\n}`],
  ])('adds to %s', (_, before, after) => {
    expect(add(moduleWith(before))).toBe(addedTo(after));
  });

  it.each([
    '{ imports: modules }',
    '{ imports }',
    '{ ...shared, imports: [...modules].concat(A) }',
    'metadata',
  ])('gives up on %s, which it cannot add to', (metadata) => {
    expect(add(moduleWith(metadata))).toBeNull();
  });

  it('gives up on a file without a module', () => {
    expect(
      add("import { Injectable } from '@nestjs/common';\n\n@Injectable()\nexport class A {}\n"),
    ).toBeNull();
  });

  it('keeps a comment at the top, quotes and indentation', () => {
    const text = `// (c) Ada\nimport { Module } from "@nestjs/common";\n\n@Module({\n\timports: [],\n})\nexport class AppModule {}\n`;
    expect(add(text, './load-env')).toBe(
      `// (c) Ada\nimport "./load-env";\nimport { Module } from "@nestjs/common";\nimport { SessionModule } from "nest-sessions";\n\n@Module({\n\timports: [\n\t\tSessionModule.forRoot({\n\t\t  key: process.env.SESSION_KEY,\n\t\t}),\n\t],\n})\nexport class AppModule {}\n`,
    );
  });

  it('gives a text that compiles, and that imports SessionModule', () => {
    const text = add(moduleWith('{ imports: [CatsModule], providers: [] }')) ?? '';
    const { diagnostics } = ts.transpileModule(text, {
      reportDiagnostics: true,
      compilerOptions: { experimentalDecorators: true },
    });
    expect(diagnostics).toEqual([]);
    expect(importsSessionModule(ts, text)).toBe(true);
  });
});

describe('importsSessionModule', () => {
  it.each([
    ["import { SessionModule } from 'nest-sessions';", true],
    ["import { RequireAuth, SessionModule as Sessions } from 'nest-sessions';", true],
    ["import { RequireAuth as SessionModule } from 'nest-sessions';", false],
    ["import { SessionModule } from './session.module.js';", false],
    ["// import { SessionModule } from 'nest-sessions';", false],
  ])('%s: %s', (text, expected) => {
    expect(importsSessionModule(ts, text)).toBe(expected);
  });
});

describe('appModulePath', () => {
  const main = (from: string, name = 'AppModule'): string =>
    `import { NestFactory } from '@nestjs/core';\nimport { ${name} } from '${from}';\nasync function bootstrap() {\n  const app = await NestFactory.create<Platform>(${name}, {});\n}\nvoid bootstrap();\n`;

  it.each([
    ['./app.module.js', 'src/app.module.ts'],
    ['./app.module', 'src/app.module.ts'],
    ['./modules/root.module.js', 'src/modules/root.module.ts'],
    ['../libs/root.module', 'libs/root.module.ts'],
  ])('follows the import of %s', (from, path) => {
    expect(appModulePath(ts, main(from), 'src/main.ts')).toBe(path);
  });

  it('takes the class that the factory is given, whatever its name', () => {
    const text = main('./root.js', 'Root').replace(
      "from './root.js'",
      "from './root.js'; import { AppModule } from './a.js'",
    );
    expect(appModulePath(ts, text, 'src/main.ts')).toBe('src/root.ts');
  });

  it.each([main('@acme/app'), '', 'NestFactory.create(AppModule);'])('finds none in: %s', (text) => {
    expect(appModulePath(ts, text, 'src/main.ts')).toBeNull();
  });
});
