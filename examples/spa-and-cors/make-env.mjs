// Before the first start: `.env`, as .env.example but with a session key of this copy's own. A file that is there stays
// as it is, because another key would sign everybody out.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

if (!existsSync('.env')) {
  const key = randomBytes(32).toString('base64url');
  const text = readFileSync('.env.example', 'utf8').replace(/^SESSION_KEY=$/m, `SESSION_KEY=${key}`);
  writeFileSync('.env', text, { mode: 0o600, flag: 'wx' });
}
