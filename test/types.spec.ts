import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '..');
const FIXTURES = ['app.ts', 'library.ts'].map((file) => join(ROOT, 'test/types', file));
const parsed = new Map<string, ts.SourceFile | undefined>();

/** The compiler options that `nest new` gives an app. */
function starterOptions(strict: boolean): ts.CompilerOptions {
  const schematics = dirname(createRequire(import.meta.url).resolve('@nestjs/schematics/package.json'));
  const file = join(schematics, 'dist/lib/application/files/ts-esm/tsconfig.json');
  const text = readFileSync(file, 'utf8').replace('<%= strict %>', String(strict));
  const { config } = ts.parseConfigFileTextToJson(file, text) as { config: { compilerOptions: object } };
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  expect(errors).toEqual([]);
  return { ...options, incremental: false, noEmit: true, types: ['node'] };
}

/**
 * What the compiler says of some files, a line each. `nest-sessions` is the source of this checkout.
 *
 * @param made files that are not on disk
 */
function problems(
  files: readonly string[],
  strict: boolean,
  made: Readonly<Record<string, string>> = {},
): string[] {
  const paths = {
    'nest-sessions': ['./src/index.ts'],
    'nest-sessions/migrations': ['./src/backends/typeorm/schema/session-migrations.ts'],
    'nest-sessions/redis': ['./src/backends/redis/index.ts'],
    'nest-sessions/testing': ['./src/testing/index.ts'],
  };
  const options = { ...starterOptions(strict), paths, pathsBasePath: ROOT };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, language) => {
    const text = made[name];
    if (text !== undefined) return ts.createSourceFile(name, text, language);
    if (!parsed.has(name)) parsed.set(name, read(name, language));
    return parsed.get(name);
  };
  const program = ts.createProgram([...files], options, host);
  return files.flatMap((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ file, start = 0, code, messageText }) => {
        const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
        return `${name.slice(ROOT.length + 1)}:${line} TS${code} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
      }),
  );
}

/** What the package publishes as types, by file: what the compiler makes of the sources. */
function declarations(): Readonly<Record<string, string>> {
  const file = join(ROOT, 'tsconfig.build.json');
  const { config } = ts.readConfigFile(file, (name) => ts.sys.readFile(name)) as { config: unknown };
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const made: Record<string, string> = {};
  const program = ts.createProgram(fileNames, { ...options, emitDeclarationOnly: true });
  program.emit(undefined, (name, text) => (made[name] = text));
  return made;
}

/** What the compiler says of types that are not on disk, in an app that is as strict as can be, a line each. */
function problemsOf(published: Readonly<Record<string, string>>): string[] {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const disk = ts.createCompilerHost(options);
  host.readFile = (name) => published[name] ?? disk.readFile(name);
  host.fileExists = (name) => name in published || disk.fileExists(name);
  host.directoryExists = (name) =>
    name.startsWith(join(ROOT, 'dist')) || disk.directoryExists?.(name) === true;
  const program = ts.createProgram(Object.keys(published), options, host);
  return Object.keys(published).flatMap((name) =>
    program.getSemanticDiagnostics(program.getSourceFile(name)).map(({ code, messageText }) => {
      const text = ts.flattenDiagnosticMessageText(messageText, '\n');
      return `${name.slice(ROOT.length + 1)} TS${code} ${text}`;
    }),
  );
}

describe('the types that are published', () => {
  const published = declarations();

  it('compile in an app that checks libraries too, and tells what is undefined from what is left out', () => {
    expect(Object.keys(published)).toContain(join(ROOT, 'dist/index.d.ts'));
    expect(problemsOf(published)).toEqual([]);
  });

  it('would not where a class says undefined of what its interface only leaves out', () => {
    const name = join(ROOT, 'dist/made-up.d.ts');
    const text =
      'export interface Facts { readonly ip?: string }\nexport declare class Own implements Facts { get ip(): string | undefined }';
    expect(problemsOf({ [name]: text })).toEqual([expect.stringContaining('TS2420')]);
  });
});

describe("an app with the settings of Nest's starter", () => {
  it.each([true, false])('compiles, and what must not compile does not: strict %p', (strict) => {
    expect(starterOptions(strict)).toMatchObject({
      isolatedModules: true,
      emitDecoratorMetadata: true,
      strict,
    });
    expect(problems(FIXTURES, strict)).toEqual([]);
  });

  it('would not compile with a type that has another name than the decorator', () => {
    const file = join(ROOT, 'test/types/not-on-disk.ts');
    const text = [
      "import { Controller, Get } from '@nestjs/common';",
      "import { RequestSession, Session } from 'nest-sessions';",
      '@Controller() export class C { @Get() m(@Session() session: RequestSession) { return session.id; } }',
    ].join('\n');
    expect(problems([file], true, { [file]: text }).join('\n')).toContain('TS1272');
  });
});
