import { HttpStatus } from '@nestjs/common';
import { type Html, html } from '../html/html.js';

interface Words {
  readonly title: string;
  readonly text: string;
}

/** What went wrong, where the status alone does not say it. */
export type PageError = HttpStatus | 'cross-site';

const WORDS: Partial<Record<PageError, Words>> = {
  'cross-site': {
    title: 'That did not come from here',
    text: 'The form was sent by another site, so nothing was done.',
  },
  [HttpStatus.BAD_REQUEST]: {
    title: 'That cannot be read',
    text: 'The address, or the form, holds something that it should not.',
  },
  [HttpStatus.FORBIDDEN]: {
    title: 'That is not for everybody',
    text: 'Only administrators may do it, so nothing was done.',
  },
  [HttpStatus.NOT_FOUND]: {
    title: 'There is nothing here',
    text: 'The page may have moved, or the address has a typo.',
  },
  [HttpStatus.CONFLICT]: {
    title: 'Somebody was faster',
    text: 'Another window changed the same thing at the same moment. Nothing was lost: please try once more.',
  },
  [HttpStatus.SERVICE_UNAVAILABLE]: {
    title: 'We will be right back',
    text: 'Your session cannot be reached at the moment. You are still signed in: please try again in a few seconds.',
  },
};

const ANYTHING_ELSE: Words = {
  title: 'That went wrong',
  text: 'It is our fault, and it has been noted. Please try again.',
};

/** What another try does not change. */
const FINAL: ReadonlySet<HttpStatus> = new Set([
  HttpStatus.BAD_REQUEST,
  HttpStatus.FORBIDDEN,
  HttpStatus.NOT_FOUND,
]);

export interface ErrorPageInput {
  readonly status: HttpStatus;
  readonly error: PageError;
  /** Where to try again. */
  readonly retryPath: string;
}

/** What to say about an error, and the way on. */
export function errorPage({ status, error, retryPath }: ErrorPageInput): { title: string; main: Html } {
  const { title, text } = WORDS[error] ?? ANYTHING_ELSE;
  const isWorthRetrying = !FINAL.has(status);
  const main = html`<section class="card narrow">
    <p class="eyebrow">${status}</p>
    <h1>${title}</h1>
    <p>${text}</p>
    <p class="actions">
      ${isWorthRetrying && html`<a class="button primary" href="${retryPath}">Try again</a>`}
      <a class="button" href="/">To your session</a>
    </p>
  </section>`;
  return { title, main };
}
