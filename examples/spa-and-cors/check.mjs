// Asks the running app for what this example shows, with the headers that a browser sends for a page of that origin:
// `npm start` in one terminal, `npm test` in another.
import assert from 'node:assert/strict';
import { Client } from './client.mjs';

const api = `http://localhost:${process.env.PORT ?? 3000}`;
const frontEnd = `http://localhost:${process.env.FRONT_END_PORT ?? 5173}`;
const page = new Client(api, { Origin: frontEnd, 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' });

const html = await new Client(frontEnd).get('/');
assert.match(html.body, /<script type="module" src="\/app\.js">/, 'the front end is served');

const preflight = await fetch(`${api}/login`, {
  method: 'OPTIONS',
  headers: {
    Origin: frontEnd,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'content-type',
  },
});
assert.equal(preflight.status, 204, 'the browser may send JSON');
assert.equal(preflight.headers.get('access-control-allow-origin'), frontEnd);
assert.equal(preflight.headers.get('access-control-allow-credentials'), 'true', 'with the cookie');

const name = `ada-${Date.now()}`; // the database keeps what earlier runs left
const login = await page.post('/login', { name });
assert.equal(login.status, 201);
assert.equal(login.headers['access-control-allow-origin'], frontEnd, 'the page may read the answer');
await page.post('/clicks');
assert.deepEqual((await page.get('/me')).body, { userId: name, clicks: 1 });

const evil = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
const forged = await page.post('/clicks', {}, evil);
assert.equal(forged.status, 403, 'a page of somebody else changes nothing, even with the cookie');
assert.equal(forged.body.code, 'cross_site_request');
assert.notEqual(forged.headers['access-control-allow-origin'], evil.Origin, 'and reads nothing');
assert.equal((await page.get('/me')).body.clicks, 1);

await page.post('/logout');
assert.equal((await page.get('/me')).status, 401);
console.log('The front end signed in and was served from another origin; a page of somebody else was not.');
