import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './compile.js';
import type { Document } from './document.js';

/** Strings of so many words are sentences, whatever is done with them. Shorter ones are parts of others. */
const SENTENCE = 5;

/** Functions that make a message of what they are given: `expected('ttl', 'a duration', 5)`. */
const MAKERS = ['expected', 'oneOf', 'positiveInteger', 'requireObject', 'refuseUnknown'];

const SQL = /^(?:SELECT|UPDATE|DELETE|WITH|BEGIN|SET|ON CONFLICT|SHOW) /;

/** What runs in Redis: a script has such a line in its first sentence. */
const LUA = /\blocal \w+|\bredis\.call\(/;

const EMPHASIS = /^`+ ?|(?: ?`+)$/g;

/**
 * What the sources can say to people: texts of errors, of exceptions, and of the log. Each as its first sentence, with
 * `…` for what is only known when it is said.
 */
export function messagesOf(text: string): string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isTypeNode(node) || isMade(node)) return;
    if (isText(node)) {
      const said = firstSentence(fixedText(node));
      const words = wordsOf(said).length;
      if (!SQL.test(said) && !LUA.test(said) && (words >= SENTENCE || (isSaid(node) && words > 1)))
        found.push(said);
    }
    if (!isConcatenation(node)) ts.forEachChild(node, look);
  };
  look(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true));
  return found;
}

/** The messages of all sources, each once, but for `testing` and `schematics`, which speak to who runs them. */
export function allMessages(): string[] {
  const src = join(ROOT, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' });
  const texts = files
    .filter((file) => file.endsWith('.ts') && !/^(?:testing|schematics)\b/.test(file))
    .map((file) => readFileSync(join(src, file), 'utf8'));
  return [...new Set(texts.flatMap(messagesOf))];
}

/** The messages that a page lists: code in the first column of its tables of messages, with `…` as in the sources. */
export function messagesListed({ prose }: Document): string[] {
  const tables = prose
    .split(/\n(?!\|)/)
    .map((part) => part.split('\n').filter((line) => line.startsWith('|')));
  return tables
    .filter(([header = '']) => header.startsWith('| Message |'))
    .flatMap(([, , ...rows]) => rows)
    .map(
      (row) =>
        row
          .slice(1)
          .split(/(?<!\\)\|/, 1)[0]
          ?.trim() ?? '',
    )
    .map((cell) => cell.replace(EMPHASIS, ''));
}

function isMade(node: ts.Node): boolean {
  return ts.isCallExpression(node) && MAKERS.includes(node.expression.getText());
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) || isConcatenation(node);
}

function isConcatenation(node: ts.Node): node is ts.BinaryExpression {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken && isOfText(node);
}

function isOfText({ left, right }: ts.BinaryExpression): boolean {
  return [left, right].some(isText);
}

/** Whether it is what an error is made with, or what is logged. */
function isSaid({ parent }: ts.Node): boolean {
  if (ts.isNewExpression(parent)) return /(?:Error|Exception)$/.test(parent.expression.getText());
  if (!ts.isCallExpression(parent)) return false;
  return /logger\??\.(?:warn|error)$/i.test(parent.expression.getText());
}

function fixedText(node: ts.Node): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  if (isConcatenation(node)) return fixedText(node.left) + fixedText(node.right);
  return '…';
}

/** Without what comes behind a full stop. Where two things that vary meet, they are one. */
function firstSentence(text: string): string {
  const [first = ''] = text.split(/\.(?:\s|$)/, 1);
  return first.replaceAll(/\s+/g, ' ').replaceAll(/…{2,}/g, '…').trim();
}

function wordsOf(text: string): string[] {
  return text.split(' ').filter((word) => /^[("'`@]*[a-z]+/i.test(word));
}
