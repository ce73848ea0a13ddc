import { join } from 'node:path';
import * as api from 'nest-sessions';
import {
  AuthenticationRequiredException,
  CrossSiteRequestException,
  SessionDataError,
  SessionError,
  SessionOptionsError,
  SessionUnsupportedException,
  TwoTokensException,
} from 'nest-sessions';
import ts from 'typescript';
import { SessionHttpException } from '../../src/http/errors/to-http-exception.js';
import { resolveOptions, splitOptions, type SessionOptions } from '../../src/session.options.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { ROOT } from './compile.js';

const KEY = Buffer.alloc(32, 'key of the readme spec');

/** Options that hold options, with an example of such an object. */
const NESTED = ['remember', 'rotation', 'live', 'cookie', 'csrf', 'cleanup'] as const;

/** Names of all options that the code knows: it tells when it is given one that it does not. */
export function optionNames(): string[] {
  const names = knownBy(() => splitOptions({ unheardOf: true } as SessionOptions));
  return names.flatMap((name) => {
    const nested = NESTED.find((one) => one === name);
    if (nested === undefined) return [name];
    return knownBy(() => resolve({ [nested]: { unheardOf: true } })).map((inner) => `${nested}.${inner}`);
  });
}

function knownBy(attempt: () => unknown): string[] {
  try {
    attempt();
  } catch (error) {
    const list = error instanceof SessionOptionsError && /one of (.*), got 'unheardOf'/.exec(error.message);
    if (list) return (list[1] ?? '').split(', ');
    throw error;
  }
  throw new Error('An unknown option was not refused');
}

/** What the options amount to, in a form that can be compared. */
export function effectOf(settings: object): object {
  const { store, http, cleanup, table } = resolve(settings);
  const { name, persistent } = http.cookie;
  const cookie = { name, persistent, attributes: http.cookie.remove() };
  return {
    ...store.config,
    cookie,
    requireAuth: http.requireAuth,
    onClientChange: http.clientChange?.reaction ?? 'ignore',
    mount: http.mount,
    currentSession: http.currentSession,
    cleanup,
    table,
  };
}

function resolve(settings: object) {
  return resolveOptions({ key: KEY, ...settings }, new ManualClock(0));
}

/** An error as the README lists it. */
export interface ErrorFacts {
  readonly name: string;
  readonly codes: readonly string[];
  readonly status: string;
}

/** The errors that the package exports, and what they become on the way out. */
export function errorFacts(): ErrorFacts[] {
  const classes = Object.values(api).filter(
    (one): one is typeof SessionError =>
      typeof one === 'function' && Object.getPrototypeOf(one) === SessionError,
  );
  const codes = ['authentication_required', 'reauthentication_required'] as const;
  const [refused] = codes.map((code) => new AuthenticationRequiredException(code));
  const unsupported = new SessionUnsupportedException();
  const foreign = new CrossSiteRequestException();
  const two = new TwoTokensException();
  return [
    ...classes.map((type) => ({ name: type.name, codes: [new type('').code], status: statusOf(type) })),
    { name: AuthenticationRequiredException.name, codes, status: String(refused?.getStatus()) },
    { name: TwoTokensException.name, codes: [two.code], status: String(two.getStatus()) },
    {
      name: SessionUnsupportedException.name,
      codes: [unsupported.code],
      status: String(unsupported.getStatus()),
    },
    { name: CrossSiteRequestException.name, codes: [foreign.code], status: String(foreign.getStatus()) },
  ];
}

function statusOf(type: typeof SessionError): string {
  if (type === SessionOptionsError) return 'at startup';
  const errors = [new type('')];
  if (type === SessionDataError) errors.unshift(new SessionDataError('', { fault: 'input' }));
  return errors.map((error) => new SessionHttpException(error).getStatus()).join(' or ');
}

/** Public members of an interface or a class, as a caller writes them: `flush(id, data, base?)`, `config`. */
export function membersOf(file: string, name: string): string[] {
  const source = parse(file);
  const found = source.statements.find(
    (one): one is ts.InterfaceDeclaration | ts.ClassDeclaration =>
      (ts.isInterfaceDeclaration(one) || ts.isClassDeclaration(one)) && one.name?.text === name,
  );
  if (found === undefined) throw new Error(`There is no ${name} in ${file}`);
  const members: readonly (ts.TypeElement | ts.ClassElement)[] = found.members;
  const names = members.map((one) => one.name?.getText(source));
  // Of overloads the last one, which is the general one.
  return members
    .filter((one, index) => isPublic(one) && names.lastIndexOf(names[index]) === index)
    .map((one) => signatureOf(one, source));
}

function isPublic(member: ts.TypeElement | ts.ClassElement): boolean {
  const isInternal = ts.getJSDocTags(member).some((tag) => tag.tagName.text === 'internal');
  return member.name !== undefined && !ts.isPrivateIdentifier(member.name) && !isInternal;
}

function signatureOf(member: ts.TypeElement | ts.ClassElement, source: ts.SourceFile): string {
  const method = (member.name?.getText(source) ?? '').replaceAll("'", '');
  if (!ts.isMethodDeclaration(member) && !ts.isMethodSignature(member)) return method;
  const parameters = member.parameters.map((one) => {
    const isOptional = one.questionToken !== undefined || one.initializer !== undefined;
    const name = ts.isIdentifier(one.name) ? one.name.text.replace(/^_/, '') : 'options'; // `_`: not used there
    return `${name}${isOptional ? '?' : ''}`;
  });
  return `${method}(${parameters.join(', ')})`;
}

function parse(file: string): ts.SourceFile {
  const path = join(ROOT, file);
  return ts.createSourceFile(path, ts.sys.readFile(path) ?? '', ts.ScriptTarget.Latest, true);
}
