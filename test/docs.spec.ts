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
  checkPadding,
  checkPrivacy,
  checkSpecs,
  namesIn,
} from './docs/checks.js';
import { DOCUMENTS, ROOT } from './docs/compile.js';
import { Document } from './docs/document.js';
import { errorFacts, membersOf, optionNames } from './docs/source-facts.js';
import * as sourceRules from './support/source-rules.js';

const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: object;
  readonly peerDependencies: object;
  readonly engines: { readonly node: string };
};

/** What people read on the forge and on the site. The others are edited by hand, in columns. */
function isPage(name: string): boolean {
  return name === 'README.md' || name.startsWith('docs/');
}

function page(name: string): Document {
  return Document.read(join(ROOT, name));
}

describe.each(DOCUMENTS)('%s', (name) => {
  const path = join(ROOT, name);
  const document = Document.read(path);

  it('links to files and headings that exist', () => {
    expect(checkLinks(document, path)).toEqual([]);
  });

  it('says nothing that only its authors understand', () => {
    expect(checkPrivacy(document)).toEqual([]);
  });

  if (isPage(name))
    it('has no wide table that is padded', () => {
      expect(checkPadding(document)).toEqual([]);
    });
});

describe('README.md', () => {
  const readme = page('README.md');

  it('can be read in ten minutes', () => {
    expect(Buffer.byteLength(readme.text)).toBeLessThanOrEqual(16 * 1024);
  });

  it('names every peer, and the versions of Node', () => {
    const [install = ''] = readme.text.split('## Quick start');
    expect(Object.keys(packageJson.peerDependencies).filter((name) => !install.includes(name))).toEqual([]);
    expect(install).toContain(packageJson.engines.node);
  });

  it('has commands that package.json knows', () => {
    expect(checkCommands(readme, packageJson.scripts)).toEqual([]);
  });

  it('leads to every page, as does the front page of the site', () => {
    const pages = DOCUMENTS.filter((name) => name.startsWith('docs/') && name !== 'docs/README.md');
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.filter((name) => !readme.links.includes(name))).toEqual([]);
    const listed = page('docs/README.md').links.map((link) => `docs/${link}`);
    expect([...new Set(listed)].toSorted()).toEqual(pages.toSorted());
  });
});

describe('the pages of reference', () => {
  it('list the options that exist', () => {
    const options = page('docs/options.md').tableOfHeadings('Type', 'Default');
    expect(checkNames('Options', namesIn(options), optionNames())).toEqual([]);
    expect(options.rows.filter(([, type]) => type === '')).toEqual([]);
  });

  it('give the defaults in force', () => {
    const options = page('docs/options.md').tableOfHeadings('Type', 'Default');
    expect(checkDefaults(options, optionNames())).toEqual([]);
  });

  it('list the members of Session', () => {
    const members = membersOf('src/http/session.interface.ts', 'RequestSession');
    const listed = page('docs/session.md').tableUnder('Members');
    expect(checkNames('Session', namesIn(listed), members)).toEqual([]);
  });

  it('list the methods of SessionStore', () => {
    const members = membersOf('src/core/session-store.ts', 'SessionStore');
    const listed = page('docs/store.md').tableUnder('Methods');
    expect(checkNames('SessionStore', namesIn(listed), members)).toEqual([]);
  });

  it('list the events', () => {
    const events = membersOf('src/core/session-events.ts', 'SessionEventMap');
    const listed = page('docs/events-and-errors.md').tableUnder('Events');
    expect(checkNames('Events', namesIn(listed), events)).toEqual([]);
  });

  it('list the errors, with code and status', () => {
    const listed = page('docs/events-and-errors.md').tableUnder('Errors');
    expect(checkErrors(listed, errorFacts())).toEqual([]);
  });

  it('list the columns of the table', () => {
    const columns = getMetadataArgsStorage().columns.filter(({ target }) => target === SessionEntity);
    const names = columns.map(({ options }) => String(options.name));
    const listed = page('docs/databases.md').tableUnder('What is stored');
    expect(checkNames('What is stored', namesIn(listed), names)).toEqual([]);
  });

  it('give a reason for each runtime dependency', () => {
    const names = namesIn(page('docs/security.md').tableUnder('Runtime dependencies'));
    expect(checkNames('Runtime dependencies', names, Object.keys(packageJson.dependencies))).toEqual([]);
  });

  it('list every way out of a request, and what becomes of a change there', () => {
    const sound = EXITS.map(({ title }) => [title, 'yes', 'yes', 'yes']);
    const odd = Object.values(ODD_EXITS).map(({ title, saved, cookie, before }) => [
      title,
      saved,
      cookie,
      before,
    ]);
    const listed = page('docs/request-lifecycle.md').tableUnder('Every way out');
    expect(listed.rows).toEqual([...sound, ...odd]);
  });

  it('name a spec for each claim about security', () => {
    const security = page('docs/security.md');
    expect(checkSpecs(security, security.tableUnder('Claims'), ROOT)).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  const contributing = page('CONTRIBUTING.md');
  /** What rules use, and is none. */
  const HELPERS = ['importsOf'];

  it('has a sentence for each rule of the sources', () => {
    const rules = Object.keys(sourceRules).filter((name) => !HELPERS.includes(name));
    expect(rules).toContain('forbiddenArrows');
    expect(checkMentions(contributing, rules)).toEqual([]);
  });

  it('has a sentence for each rule that the linter is told', () => {
    const { rules } = JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')) as {
      readonly rules: Readonly<Record<string, unknown>>;
    };
    const enforced = Object.keys(rules).filter((name) => rules[name] !== 'off');
    expect(enforced).toContain('typescript/no-explicit-any');
    expect(checkMentions(contributing, enforced)).toEqual([]);
  });

  it('has a row for each room', () => {
    const rows = namesIn(contributing.tableUnder('Rooms')).map((name) => name.split('/', 1)[0] ?? '');
    const entries = readdirSync(join(ROOT, 'src'), { withFileTypes: true });
    const rooms = entries.filter((one) => one.isDirectory()).map(({ name }) => name);
    expect(rooms).toContain('core');
    expect(rooms.filter((room) => !rows.includes(room))).toEqual([]);
  });

  it('has commands that package.json knows', () => {
    expect(checkCommands(contributing, packageJson.scripts)).toEqual([]);
  });
});

describe('docs/from-express-session.md', () => {
  it('lists the members of req.session', () => {
    const members = membersOf('src/http/express-session/types.ts', 'ExpressSessionMembers').map(nameOf);
    const listed = namesIn(page('docs/from-express-session.md').tableUnder('Members of req.session')).map(
      nameOf,
    );
    expect(checkNames('req.session', listed, [...new Set(members)])).toEqual([]);
  });
});

/** `save` of `save(callback?)`. */
function nameOf(signature: string): string {
  return signature.split('(', 1)[0] ?? '';
}

describe('docs/asvs.md', () => {
  const asvs = page('docs/asvs.md');
  const sections = { 1: 3, 2: 4, 3: 2, 4: 5, 5: 3, 6: 2 };
  const requirements = Object.entries(sections).flatMap(([section, count]) =>
    Array.from({ length: count }, (_, n) => `7.${section}.${n + 1}`),
  );

  it('has all 19 requirements of ASVS 5.0 V7, in order', () => {
    const rows = asvs.tableUnder('OWASP ASVS 5.0, V7: session management').rows;
    expect(requirements).toHaveLength(19);
    expect(rows.map(([id]) => id)).toEqual(requirements);
  });

  it('names a spec that exists for each, and has a policy for 7.1.1', () => {
    const rows = asvs.tableUnder('OWASP ASVS 5.0, V7: session management');
    expect(checkSpecs(asvs, rows, ROOT)).toEqual([]);
    expect(asvs.tableUnder('A policy to start from').rows.length).toBeGreaterThan(3);
  });
});
