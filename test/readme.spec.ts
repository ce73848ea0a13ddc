import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SessionEntity } from 'nest-sessions';
import { getMetadataArgsStorage } from 'typeorm';
import { EXITS, ODD_EXITS } from './support/exits.js';
import {
  checkCommands,
  checkDefaults,
  checkErrors,
  checkLinks,
  checkMentions,
  checkNames,
  checkPrivacy,
  checkSpecs,
  namesIn,
} from './readme/checks.js';
import { DOCUMENTS, ROOT } from './readme/compile.js';
import { Document } from './readme/document.js';
import { errorFacts, membersOf, optionNames } from './readme/source-facts.js';
import * as sourceRules from './support/source-rules.js';

const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: object;
  readonly peerDependencies: object;
  readonly engines: { readonly node: string };
};
const readme = Document.read(join(ROOT, 'README.md'));

describe.each(DOCUMENTS)('%s', (name) => {
  const path = join(ROOT, name);
  const document = Document.read(path);

  it('links to files and headings that exist', () => {
    expect(checkLinks(document, path)).toEqual([]);
  });

  it('says nothing that only its authors understand', () => {
    expect(checkPrivacy(document)).toEqual([]);
  });
});

describe('README.md', () => {
  it('lists the options that exist', () => {
    expect(checkNames('Options', namesIn(readme.tableUnder('Options')), optionNames())).toEqual([]);
  });

  it('gives the defaults in force', () => {
    expect(checkDefaults(readme.tableUnder('Options'), optionNames())).toEqual([]);
  });

  it('lists the members of Session', () => {
    const members = membersOf('src/http/session.interface.ts', 'RequestSession');
    expect(checkNames('Session', namesIn(readme.tableUnder('Session')), members)).toEqual([]);
  });

  it('lists the methods of SessionStore', () => {
    const members = membersOf('src/core/session-store.ts', 'SessionStore');
    expect(checkNames('SessionStore', namesIn(readme.tableUnder('SessionStore')), members)).toEqual([]);
  });

  it('lists the events', () => {
    const events = membersOf('src/core/session-events.ts', 'SessionEventMap');
    expect(checkNames('Events', namesIn(readme.tableUnder('Events')), events)).toEqual([]);
  });

  it('lists the errors, with code and status', () => {
    expect(checkErrors(readme.tableUnder('Errors'), errorFacts())).toEqual([]);
  });

  it('lists the columns of the table', () => {
    const columns = getMetadataArgsStorage().columns.filter(({ target }) => target === SessionEntity);
    const names = columns.map(({ options }) => String(options.name));
    expect(checkNames('What is stored', namesIn(readme.tableUnder('What is stored')), names)).toEqual([]);
  });

  it('gives a reason for each runtime dependency', () => {
    const names = namesIn(readme.tableUnder('Runtime dependencies'));
    expect(checkNames('Runtime dependencies', names, Object.keys(packageJson.dependencies))).toEqual([]);
  });

  it('names every peer, and the versions of Node', () => {
    const [install = ''] = readme.text.split('## Quick start');
    expect(Object.keys(packageJson.peerDependencies).filter((name) => !install.includes(name))).toEqual([]);
    expect(install).toContain(packageJson.engines.node);
  });

  it('lists every way out of a request, and what becomes of a change there', () => {
    const sound = EXITS.map(({ title }) => [title, 'yes', 'yes', 'yes']);
    const odd = Object.values(ODD_EXITS).map(({ title, saved, cookie, before }) => [
      title,
      saved,
      cookie,
      before,
    ]);
    expect(readme.tableUnder('Every way out').rows).toEqual([...sound, ...odd]);
  });

  it('names a spec for each claim about security', () => {
    expect(checkSpecs(readme, readme.tableUnder('Security'), ROOT)).toEqual([]);
  });

  it('has commands that package.json knows', () => {
    expect(checkCommands(readme, packageJson.scripts)).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  const page = Document.read(join(ROOT, 'CONTRIBUTING.md'));
  /** What rules use, and is none. */
  const HELPERS = ['importsOf'];

  it('has a sentence for each rule of the sources', () => {
    const rules = Object.keys(sourceRules).filter((name) => !HELPERS.includes(name));
    expect(rules).toContain('forbiddenArrows');
    expect(checkMentions(page, rules)).toEqual([]);
  });

  it('has a sentence for each rule that the linter is told', () => {
    const { rules } = JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')) as {
      readonly rules: Readonly<Record<string, unknown>>;
    };
    const enforced = Object.keys(rules).filter((name) => rules[name] !== 'off');
    expect(enforced).toContain('typescript/no-explicit-any');
    expect(checkMentions(page, enforced)).toEqual([]);
  });

  it('has a row for each room', () => {
    const rows = namesIn(page.tableUnder('Rooms')).map((name) => name.split('/', 1)[0] ?? '');
    const entries = readdirSync(join(ROOT, 'src'), { withFileTypes: true });
    const rooms = entries.filter((one) => one.isDirectory()).map(({ name }) => name);
    expect(rooms).toContain('core');
    expect(rooms.filter((room) => !rows.includes(room))).toEqual([]);
  });

  it('has commands that package.json knows', () => {
    expect(checkCommands(page, packageJson.scripts)).toEqual([]);
  });
});

describe('docs/from-express-session.md', () => {
  it('lists the members of req.session', () => {
    const page = Document.read(join(ROOT, 'docs/from-express-session.md'));
    const members = membersOf('src/http/express-session/types.ts', 'ExpressSessionMembers').map(nameOf);
    const listed = namesIn(page.tableUnder('Members of req.session')).map(nameOf);
    expect(checkNames('req.session', listed, [...new Set(members)])).toEqual([]);
  });
});

/** `save` of `save(callback?)`. */
function nameOf(signature: string): string {
  return signature.split('(', 1)[0] ?? '';
}

describe('docs/asvs.md', () => {
  const page = Document.read(join(ROOT, 'docs/asvs.md'));
  const sections = { 1: 3, 2: 4, 3: 2, 4: 5, 5: 3, 6: 2 };
  const requirements = Object.entries(sections).flatMap(([section, count]) =>
    Array.from({ length: count }, (_, n) => `7.${section}.${n + 1}`),
  );

  it('has all 19 requirements of ASVS 5.0 V7, in order', () => {
    const rows = page.tableUnder('OWASP ASVS 5.0, V7: session management').rows;
    expect(requirements).toHaveLength(19);
    expect(rows.map(([id]) => id)).toEqual(requirements);
  });

  it('names a spec that exists for each, and has a policy for 7.1.1', () => {
    const rows = page.tableUnder('OWASP ASVS 5.0, V7: session management');
    expect(checkSpecs(page, rows, ROOT)).toEqual([]);
    expect(page.tableUnder('A policy to start from').rows.length).toBeGreaterThan(3);
  });
});
