import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { checkRules } from './checks.js';
import { ROOT } from './compile.js';
import { Document } from './document.js';

/** Titles of specs name them by number. */
const RULES = 17;

describe('docs/design.md', () => {
  it('has every rule, a spec for each, and a place for every behaviour', () => {
    const files = readdirSync(join(ROOT, 'test/behaviour'), { recursive: true, encoding: 'utf8' });
    const behaviours = files
      .filter((file) => file.endsWith('.spec.ts'))
      .map((file) => `../test/behaviour/${file.split(sep).join('/')}`);
    expect(behaviours.length).toBeGreaterThan(30);
    expect(checkRules(Document.read(join(ROOT, 'docs/design.md')), RULES, behaviours)).toEqual([]);
  });
});
