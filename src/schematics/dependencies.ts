/*
 * What an app has to have beside this package, in the versions that go with its Nest.
 */

/** The part of a package.json that is looked at. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Peers of this package that a new app of Nest does not have. */
const PEERS = ['@nestjs/schedule', '@nestjs/terminus', '@nestjs/typeorm'];
/** The driver of a data source that is made here. TypeORM 1 has none for it. */
const SQLITE = { typeorm: '^0.3.28', sqlite3: '^6.0.0' };

/**
 * The dependencies that the app lacks. npm would choose the newest version of each peer that Nest 11 can be run with, and
 * those are ESM only, which the Jest of its starter does not load.
 *
 * @param app package.json of the app
 * @param own package.json of this package: its peers say which versions go with which Nest
 * @param needsDriver whether the app has no data source, so that it needs a driver for SQLite
 */
export function missingDependencies(
  app: Manifest,
  own: Manifest,
  needsDriver: boolean,
): Record<string, string> {
  const [nest = ''] = /\d+/.exec(app.dependencies?.['@nestjs/core'] ?? '') ?? [];
  const isOld = nest === '11';
  const wanted: Record<string, string> = {};
  for (const name of PEERS) {
    const [first, last = first] = (own.peerDependencies?.[name] ?? '').split(' || ');
    const version = isOld ? first : last;
    if (version) wanted[name] = version;
  }
  const present = { ...app.devDependencies, ...app.dependencies };
  const all = needsDriver ? { ...wanted, ...SQLITE } : wanted;
  return Object.fromEntries(Object.entries(all).filter(([name]) => present[name] === undefined));
}

/** package.json with these dependencies, in order of their names, as npm writes it. */
export function withDependencies(text: string, added: Readonly<Record<string, string>>): string {
  if (Object.keys(added).length === 0) return text;
  const json = JSON.parse(text) as Record<string, unknown> & Manifest;
  const all = Object.entries({ ...json.dependencies, ...added });
  const indentation = /^[\t ]+/m.exec(text)?.[0] ?? '  ';
  const dependencies = Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ ...json, dependencies }, null, indentation)}\n`;
}
