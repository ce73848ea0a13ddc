// Lets a plain Node process import the sources: `.js` names the `.ts` beside it, and swc strips the types.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const swc = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
};

/** As in test/support/jest-projects.js. */
const own = {
  'nest-sessions': '../../../../src/index.ts',
  'nest-sessions/redis': '../../../../src/backends/redis/index.ts',
  'nest-sessions/testing': '../../../../src/testing/index.ts',
};

export async function resolve(specifier, context, nextResolve) {
  if (Object.hasOwn(own, specifier))
    return nextResolve(new URL(own[specifier], import.meta.url).href, context);
  const isSource =
    context.parentURL?.endsWith('.ts') && specifier.startsWith('.') && specifier.endsWith('.js');
  return nextResolve(isSource ? `${specifier.slice(0, -3)}.ts` : specifier, context);
}

export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context);
  const filename = fileURLToPath(url);
  const { code } = await transform(await readFile(filename, 'utf8'), { ...swc, filename });
  return { format: 'module', shortCircuit: true, source: code };
}
