import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

/** Name of the global that instrumented code calls: `run(id, body)`. */
export const RECORDER = '__requestPath';

/**
 * Rewrites every `.js` file below `folder` so that each function tells the recorder when it is entered.
 *
 * @returns what the ids in the code stand for: `{ file, className, name }`, `className` is `null` outside classes
 */
export function instrumentFolder(folder) {
  const sites = [];
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js'));
  for (const name of files) {
    const path = join(folder, name);
    const file = relative(folder, path).replaceAll('\\', '/');
    writeFileSync(path, instrument(file, readFileSync(path, 'utf8'), sites));
  }
  return sites;
}

/** Each body becomes an arrow function, which keeps `this`, `super`, `arguments` and `new.target`. */
function instrument(file, text, sites) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.JS);
  const edits = [];
  const insert = (at, what) => edits.push({ start: at, end: at, what });

  const enter = (node) => {
    const id = sites.push({ file, className: classOf(node), name: nameOf(node) }) - 1;
    const { body } = node;
    const isAsync = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) ?? false;
    if (node.asteriskToken) {
      // A generator runs when it is asked for values: only its beginning is a call that can be followed.
      insert(body.getStart() + 1, `globalThis.${RECORDER}.run(${id}, () => {});`);
      return;
    }
    const run = `globalThis.${RECORDER}.run(${id}, ${isAsync ? 'async ' : ''}() => `;
    if (ts.isBlock(body)) {
      insert(body.getStart() + 1, ` return ${run}{`);
      insert(body.getEnd() - 1, '});');
    } else {
      insert(body.getStart(), `${run}(`);
      insert(body.getEnd(), '))');
    }
    if (!isAsync) return;
    // The arrow function inside is the async one, so that no promise is wrapped in another one.
    const word = node.modifiers.find(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword);
    edits.push({ start: word.getStart(), end: word.getEnd(), what: '' });
  };

  const visit = (node) => {
    if (isCompilerHelper(node)) return;
    if (ts.isFunctionLike(node) && node.body) enter(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return applied(text, edits);
}

/** `__decorate` and the like, which TypeScript writes into each file. They run at start. */
function isCompilerHelper(node) {
  if (!ts.isVariableStatement(node)) return false;
  return node.declarationList.declarations.some(({ name }) => name.getText().startsWith('__'));
}

/** From the end to the beginning. At one place, a replacement comes first, then the outermost function. */
function applied(text, edits) {
  const ordered = edits.toSorted((a, b) => b.start - a.start || b.end - a.end);
  return ordered.reduce((all, { start, end, what }) => all.slice(0, start) + what + all.slice(end), text);
}

function classOf(node) {
  for (let at = node.parent; at; at = at.parent) {
    if (ts.isClassLike(at)) return at.name?.text ?? ownerName(at) ?? '(anonymous)';
  }
  return null;
}

/** `load`, `get data`, `constructor`; a function without a name is one `in` what is around it. */
function nameOf(node) {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const own = node.name?.getText() ?? ownerName(node);
  if (own === undefined) return `in ${outerName(node)}`;
  if (ts.isGetAccessor(node)) return `get ${own}`;
  return ts.isSetAccessor(node) ? `set ${own}` : own;
}

/** Name of the variable or the field that a function or a class is the value of. */
function ownerName({ parent }) {
  const isOwner =
    ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent);
  return isOwner ? parent.name.getText() : undefined;
}

function outerName(node) {
  for (let at = node.parent; at; at = at.parent) {
    if (ts.isFunctionLike(at)) return nameOf(at).replace(/^in /, '');
  }
  return 'module';
}
