// Asks the running app for what this example shows: `npm start` in one terminal, `npm test` in another.
import assert from 'node:assert/strict';
import pg from 'pg';
import { Client } from './client.mjs';

const origin = `http://localhost:${process.env.PORT ?? 3000}`;
const name = `ada-${Date.now()}`; // the database keeps what earlier runs left
const ada = new Client(origin);

const { body: health } = await ada.get('/health');
assert.equal(health.status, 'ok', 'health needs no user');
assert.equal((await ada.get('/me')).status, 401, 'every other route does, without a decorator');

assert.equal((await ada.post('/login', { name })).status, 204);
assert.deepEqual((await ada.get('/me')).body, { userId: name });

const skus = Array.from({ length: 10 }, (_, index) => `tea-${index}`);
await Promise.all(skus.map((sku) => ada.post('/cart', { sku })));
const { body: cart } = await ada.get('/cart');
assert.deepEqual(cart.map(({ sku }) => sku).toSorted(), skus, 'ten requests at once, ten items');

const others = [new Client(origin), new Client(origin), new Client(origin)];
for (const other of others) assert.equal((await other.post('/login', { name })).status, 204);
assert.equal(
  (await ada.get('/me')).status,
  401,
  'the fourth sign-in ends the least recently active of three',
);

const database = new pg.Client({ connectionString: process.env.DATABASE_URL });
await database.connect();
const { rows } = await database.query('SELECT * FROM sessions WHERE user_id = $1', [name]);
await database.end();
assert.equal(rows.length, 3, 'three sessions are in PostgreSQL');
assert.ok(!JSON.stringify(rows).includes('sku'), 'and what is in them is sealed');

const [kept, ...rest] = others;
assert.deepEqual((await kept.post('/logout-others')).body, { ended: 2 });
assert.equal((await kept.get('/me')).status, 200);
for (const other of rest) assert.equal((await other.get('/me')).status, 401);
console.log(
  'Ten parallel items kept, three sessions at most, sealed rows in PostgreSQL, the others logged out.',
);
