import { join } from 'node:path';
import {
  checkCommands,
  checkDefaults,
  checkErrors,
  checkLinks,
  checkMentions,
  checkNames,
  checkPadding,
  checkPrivacy,
  checkRules,
  checkSpecs,
  namesIn,
} from './checks.js';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { errorFacts, membersOf, optionNames } from './source-facts.js';

const broken = Document.read(join(ROOT, 'test/docs/broken.md'));

describe('the checks of the documents, on one that is wrong', () => {
  it('find an option that is missing, one that does not exist and one that is there twice', () => {
    const problems = checkNames('Options', namesIn(broken.tableOfHeadings('Default')), optionNames());
    expect(problems).toEqual(
      expect.arrayContaining(['Options misses key', 'Options invents csrfToken', 'Options repeats ttl']),
    );
  });

  it('find a default that is not in force, and one that is no literal', () => {
    expect(checkDefaults(broken.tableOfHeadings('Default'), optionNames())).toEqual([
      'The default of ttl is not 12h',
      'The default of ttl is no literal: a day',
      'The default of maxPerUser is not 5',
      'The default of cookie.sameSite is not strict',
      'The default of cleanup.batchSize is not 500',
    ]);
  });

  it('find a method that is missing, one that does not exist and one with other parameters', () => {
    const members = membersOf('src/core/session-store.ts', 'SessionStore');
    const problems = checkNames('SessionStore', namesIn(broken.tableUnder('SessionStore')), members);
    expect(problems).toEqual(
      expect.arrayContaining([
        'SessionStore misses create(meta, userId, data?)',
        'SessionStore invents create(userId)',
        'SessionStore invents revive(id)',
        'SessionStore misses touch(id, now, expiresAt)',
      ]),
    );
  });

  it('leave private and internal members out', () => {
    const members = membersOf('src/core/session-store.ts', 'SessionStore');
    expect(members.filter((name) => /^#|^engine|^constructor/.test(name))).toEqual([]);
  });

  it('find an error with another status', () => {
    expect(checkErrors(broken.tableUnder('Errors'), errorFacts())).toEqual(
      expect.arrayContaining([
        'Errors misses SessionStoreError',
        'Errors: SessionGoneError is session_gone, 401',
      ]),
    );
  });

  it('find links that lead nowhere', () => {
    expect(checkLinks(broken, join(ROOT, 'test/docs/broken.md'))).toEqual([
      'missing.md leads to no file',
      '#nowhere leads to no heading',
      '../../LICENSE#nowhere leads to no heading',
    ]);
  });

  it('find a spec that does not exist, and a claim without one', () => {
    expect(checkSpecs(broken, broken.tableUnder('Security'), ROOT)).toEqual([
      'test/none.spec.ts does not exist',
      'No spec shows: Trust us',
    ]);
    expect(checkSpecs(broken, broken.tableUnder('Nothing'), ROOT)).toContain('No claim names a spec');
  });

  it('find commands that do not exist, and miss those that should be there', () => {
    expect(checkCommands(broken, { start: '', test: '' })).toEqual([
      "There is no script 'demo'",
      'npm test is not mentioned',
    ]);
  });

  it('find a rule that is missing, one without a spec, and a behaviour that belongs to none', () => {
    const document = new Document(
      '# Rules\n\n[a](a.spec.ts)\n\n## 1. One\n\n[b](b.spec.ts)\n\n## 3. Three\n\n## Other behaviours\n\n[c](c.spec.ts)\n',
    );
    expect(checkRules(document, 2, ['a.spec.ts', 'b.spec.ts', 'c.spec.ts'])).toEqual([
      'Expected rules 1 to 2, got 1,3',
      'No spec holds: 3. Three',
      'a.spec.ts is below no rule',
    ]);
  });

  it('find a rule without a sentence', () => {
    const document = new Document('Imports follow the arrows: `forbiddenArrows`. There are no circles.');
    expect(checkMentions(document, ['forbiddenArrows', 'circles'])).toEqual(['circles is not mentioned']);
  });

  it('find what only authors understand', () => {
    const document = new Document(
      'See #12, and /home/somebody/notes. [A heading](#options) is fine, and so is [rule 8](#8-a-token).',
    );
    expect(checkPrivacy(document)).toEqual([
      '#12 means nothing to readers',
      '/home/somebody/notes means nothing to readers',
    ]);
  });

  it('find a wide table that is padded, and leave a narrow one alone', () => {
    const [wide, narrow] = ['x'.repeat(120), 'x'];
    const table = (cell: string) => `| ${cell} | y${' '.repeat(9)} |`;
    expect(checkPadding(new Document(`${table(wide)}\n\n${table(narrow)}`))).toEqual([
      `padded: | ${'x'.repeat(38)}`,
    ]);
    expect(checkPadding(new Document(`| ${wide} | y |`))).toEqual([]);
  });
});
