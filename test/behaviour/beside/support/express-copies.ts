import { jest } from '@jest/globals';
import type { Express, Router } from 'express';
import { createRequire } from 'node:module';

/** Express, and what belongs to it. */
export interface ExpressCopy {
  (): Express;
  Router(): Router;
}

const require = createRequire(import.meta.url);

/** The Express that Nest's adapter uses. */
const own = require('express') as ExpressCopy;

/** Another installed Express, as a library that depends on a version of its own brings along. */
function another(): ExpressCopy {
  let copy: ExpressCopy | null = null;
  jest.isolateModules(() => (copy = require('express') as ExpressCopy));
  if (copy === null || copy === own) throw new Error('Expected another copy of Express, got the same');
  return copy;
}

export const COPIES = [
  ["the app's Express", own],
  ['another Express', another()],
] as const;
