import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Port to listen on; 0 takes a free one. */
export const PORT = Number(process.env.PORT ?? 3000);

/** Whether to listen with https, for which a certificate is made at start. */
export const IS_HTTPS = isOn('HTTPS', process.env.HTTPS);

/** This folder in the repository: what runs is `demo/.build/main.js`, made of `demo/main.ts`. */
const DEMO = join(import.meta.dirname, '..');

/** What the pages refer to. */
export const PUBLIC_FOLDER = join(DEMO, 'public');

/** Where the database and the key are. Git ignores it. */
export const DATA_FOLDER = process.env.DEMO_DATA ?? join(DEMO, '.data');

mkdirSync(DATA_FOLDER, { recursive: true, mode: 0o700 });

/** @throws for what is neither on nor off: plain http, where somebody meant https, would not show */
function isOn(name: string, value = '0'): boolean {
  if (value !== '0' && value !== '1') throw new Error(`${name}: expected 1 or 0, got ${value}`);
  return value === '1';
}
