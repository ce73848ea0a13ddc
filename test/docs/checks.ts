import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { anchorOf } from '../../docs/.vitepress/site/anchors.js';
import { codeIn, Document, type Table } from './document.js';
import { effectOf, type ErrorFacts } from './source-facts.js';

/** Each check returns what is wrong, in words; nothing when all is well. */
export type Problems = string[];

/** That `documented` and `known` are the same names, each once. */
export function checkNames(what: string, documented: readonly string[], known: readonly string[]): Problems {
  return [
    ...known.filter((name) => !documented.includes(name)).map((name) => `${what} misses ${name}`),
    ...documented.filter((name) => !known.includes(name)).map((name) => `${what} invents ${name}`),
    ...documented
      .filter((name, index) => documented.indexOf(name) < index)
      .map((name) => `${what} repeats ${name}`),
  ];
}

/** The code in the first column of a table. */
export function namesIn(table: Table): string[] {
  return table.rows.flatMap(([cell = '']) => codeIn(cell));
}

/** Options whose default is no scalar: none, another option's, or something that is made. */
const WITHOUT_SCALAR = [
  'key',
  'anonymousTtl',
  'touchInterval',
  'rotation.every',
  'cookie.domain',
  'csrf.origins',
  'passportUserId',
  'transport',
  'meta',
  'dataSource',
  'preparedStatements',
  'live.bus',
  'backend',
  'clock',
];

/** That the default of each known option is a literal, and that giving it changes nothing. */
export function checkDefaults(table: Table, known: readonly string[]): Problems {
  const column = table.header.indexOf('Default');
  return table.rows.flatMap((row) => {
    const [name = ''] = codeIn(row[0] ?? '');
    if (WITHOUT_SCALAR.includes(name)) return [];
    if (!known.includes(name)) return [];
    const value = literal(row[column] ?? '');
    if (value === undefined) return [`The default of ${name} is no literal: ${row[column]}`];
    const isDefault = isDeepStrictEqual(effectOf(nest(name, value)), effectOf({}));
    return isDefault ? [] : [`The default of ${name} is not ${String(value)}`];
  });
}

/** `'24h'`, `10` or `true`, in backticks and alone. */
function literal(cell: string): string | number | boolean | undefined {
  const code = /^`([^`]+)`$/.exec(cell)?.[1];
  if (code === undefined) return undefined;
  if (code === 'true' || code === 'false') return code === 'true';
  const text = /^'([^']*)'$/.exec(code)?.[1];
  return text ?? (/^\d+$/.test(code) ? Number(code) : undefined);
}

function nest(name: string, value: unknown): object {
  const [outer = '', inner] = name.split('.');
  return { [outer]: inner === undefined ? value : { [inner]: value } };
}

/** That the table gives each error its code and its status. */
export function checkErrors(table: Table, known: readonly ErrorFacts[]): Problems {
  const documented = table.rows.map(([name = '', code = '', status = '']) => ({
    name: codeIn(name).join(),
    codes: codeIn(code),
    status,
  }));
  return [
    ...checkNames('Errors', documented.map(nameOf), known.map(nameOf)),
    ...known
      .filter((error) => documented.some(({ name }) => name === error.name))
      .filter((error) => !documented.some((row) => isDeepStrictEqual(row, error)))
      .map((error) => `Errors: ${error.name} is ${error.codes.join()}, ${error.status}`),
  ];
}

function nameOf({ name }: ErrorFacts): string {
  return name;
}

/** That relative links lead to files, and anchors to headings. */
export function checkLinks(document: Document, path: string): Problems {
  return document.links.flatMap((target) => {
    if (target.startsWith('https://')) return [];
    const [file = '', anchor] = target.split('#');
    const place = file === '' ? path : resolve(dirname(path), file);
    if (!existsSync(place)) return [`${target} leads to no file`];
    if (anchor === undefined) return [];
    const there = file === '' ? document : Document.read(place);
    return there.headings.map(anchorOf).includes(anchor) ? [] : [`${target} leads to no heading`];
  });
}

/** That every spec that the document names exists, and that each row of the table names one. */
export function checkSpecs(document: Document, evidence: Table, root: string): Problems {
  const named = [...document.prose.matchAll(/\btest\/[\w./-]+\.spec\.ts/g)].map(([path]) => path);
  const column = evidence.header.indexOf('Spec');
  return [
    ...(column < 0 || evidence.rows.length === 0 ? ['No claim names a spec'] : []),
    ...[...new Set(named)]
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${path} does not exist`),
    ...evidence.rows
      .filter((row) => !/\.spec\.ts/.test(row[column] ?? ''))
      .map(([claim = '']) => `No spec shows: ${claim}`),
  ];
}

/**
 * That the document has so many rules, `## 1. Its name`, each with a link to a spec, and that each behaviour (a path as
 * the document links to it) is below a rule or among the others.
 */
export function checkRules(document: Document, rules: number, behaviours: readonly string[]): Problems {
  const sections = [...document.sections].filter(([title]) => /^\d+\. /.test(title));
  const numbers = sections.map(([title]) => Number.parseInt(title, 10));
  const expected = Array.from({ length: rules }, (_, index) => index + 1);
  const others = document.sections.get('Other behaviours')?.links ?? [];
  const linked = new Set([...sections.flatMap(([, { links }]) => links), ...others]);
  return [
    ...(isDeepStrictEqual(numbers, expected) ? [] : [`Expected rules 1 to ${rules}, got ${numbers.join()}`]),
    ...sections
      .filter(([, { links }]) => !links.some((target) => target.endsWith('.spec.ts')))
      .map(([title]) => `No spec holds: ${title}`),
    ...behaviours.filter((path) => !linked.has(path)).map((path) => `${path} is below no rule`),
  ];
}

/** That every npm command of the document can be run, and that the test command is there. */
export function checkCommands(document: Document, scripts: Readonly<Record<string, string>>): Problems {
  const called = document.commands
    .flatMap((line) => line.split('&&'))
    .flatMap((command) => /^\s*npm (?:run )?([\w:]+)/.exec(command)?.[1] ?? [])
    .filter((name) => !['ci', 'i', 'install'].includes(name));
  return [
    ...called.filter((name) => scripts[name] === undefined).map((name) => `There is no script '${name}'`),
    ...['start', 'test']
      .filter((name) => !called.includes(name))
      .map((name) => `npm ${name} is not mentioned`),
  ];
}

/** That each of these names stands in the document, as code. */
export function checkMentions(document: Document, names: readonly string[]): Problems {
  return names
    .filter((name) => !document.text.includes(`\`${name}\``))
    .map((name) => `${name} is not mentioned`);
}

/** That nobody is sent to a place that only its authors have. */
export function checkPrivacy(document: Document): Problems {
  const leaks = document.text.match(/\/(?:work|home|tmp)\/[\w/.-]*\w|#\d+\b(?!-)|\bissue \d+|registry\.\S+/g);
  return (leaks ?? []).map((leak) => `${leak} means nothing to readers`);
}

/** Characters of a line of code, up to which Prettier aligns the columns of a table. */
const LINE = 110;

/** That wide tables are not padded: blanks were a third of a page once. */
export function checkPadding({ prose }: Document): Problems {
  const rows = prose.split('\n').filter((line) => line.startsWith('|') && line.length > LINE);
  return rows.filter((row) => /\S {3,}/.test(row)).map((row) => `padded: ${row.slice(0, 40)}`);
}
