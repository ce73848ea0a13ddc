import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Port to listen on; 0 takes a free one. */
export const PORT = Number(process.env.PORT ?? 3000);

/** This folder in the repository: what runs is `demo/.build/main.js`, made of `demo/main.ts`. */
const DEMO = join(import.meta.dirname, '..');

/** What the pages refer to. */
export const PUBLIC_FOLDER = join(DEMO, 'public');

/** Where the databases and the key are. Git ignores it. */
export const DATA_FOLDER = process.env.DEMO_DATA ?? join(DEMO, '.data');

mkdirSync(DATA_FOLDER, { recursive: true, mode: 0o700 });
