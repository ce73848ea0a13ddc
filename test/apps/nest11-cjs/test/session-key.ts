import { randomBytes } from 'node:crypto';

process.env.SESSION_KEY ??= randomBytes(32).toString('base64url');
process.env.DB = ':memory:'; // a new database for each app that a test makes, with its sessions
