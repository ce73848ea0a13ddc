import { randomBytes } from 'node:crypto';

process.env.SESSION_KEY ??= randomBytes(32).toString('base64url');
