import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { resolveOptions, type SessionOptions, splitOptions } from '../../src/session.options.js';
import { ROOT } from './compile.js';
import { anchorOf } from '../../docs/.vitepress/site/anchors.js';
import { Document } from './document.js';
import { optionNames } from './source-facts.js';

const key = () => randomBytes(32).toString('base64url');
const env = { NODE_ENV: 'production', NEW_KEY: key(), OLD_KEY: key() };

/** The options that the code of an example makes. */
function optionsOf(code: string): SessionOptions {
  const make = runInThisContext(`({ ManualClock, MemorySessionBackend, process }) => ({ ${code} })`) as (
    names: object,
  ) => SessionOptions;
  return make({ ManualClock, MemorySessionBackend, process: { env } });
}

/** Whether they have an option: `cookie.name` is in `{ cookie: { name: 'shop' } }`. */
function has(options: object, name: string): boolean {
  const [outer = '', inner] = name.split('.');
  const value = (options as Record<string, unknown>)[outer];
  return inner === undefined ? value !== undefined : Object.hasOwn(value as object, inner);
}

/** @throws SessionOptionsError for options that an app would not start with */
function start(options: SessionOptions): void {
  const { settings } = splitOptions(options);
  resolveOptions('plaintext' in settings ? settings : { key: key(), ...settings }, new ManualClock(0));
}

describe('docs/options.md', () => {
  const document = Document.read(join(ROOT, 'docs/options.md'));
  const examples = [...document.text.matchAll(/^### `([^`]+)`$[^]*?^Example: `(.+)`$/gm)].map(
    ([, name = '', code = '']) => ({ name, code }),
  );

  it('has an example for each option', () => {
    expect(examples.map(({ name }) => name).toSorted()).toEqual(optionNames().toSorted());
  });

  it.each(examples)('sets $name by $code, and an app starts with it', ({ name, code }) => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'development';
    try {
      const options = optionsOf(code);
      expect(has(options, name)).toBe(true);
      expect(() => start(options)).not.toThrow();
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });

  it('would notice an example with which no app starts', () => {
    expect(() => start(optionsOf("ttl: '1 fortnight'"))).toThrow('`ttl`');
    expect(() => start(optionsOf('maxPerUsers: 1'))).toThrow('maxPerUsers');
  });

  it('has every option in its table of contents, under the heading where it is', () => {
    const rows = document.tableUnder('Options').rows.map(([group = '', options = '']) => ({
      group: /^\[(.+)\]/.exec(group)?.[1],
      listed: [...options.matchAll(/\[`([^`]+)`\]\(#([\w-]+)\)/g)].map(([, name = '', anchor]) => {
        expect(anchor).toBe(anchorOf(name));
        return name;
      }),
    }));
    const groups = document.text.split(/^## /m).slice(1);
    expect(rows).toEqual(
      groups.map((text) => ({
        group: text.split('\n', 1)[0],
        listed: [...text.matchAll(/^### `([^`]+)`$/gm)].map(([, name]) => name),
      })),
    );
  });
});
