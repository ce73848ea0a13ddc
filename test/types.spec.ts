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
