// Asks the running app for what this example shows: `npm start` in one terminal, `npm test` in another.
import assert from 'node:assert/strict';
import { Client } from './client.mjs';

const origin = `http://localhost:${process.env.PORT ?? 3000}`;
const userAgent = (system, version) =>
  `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version} Safari/537.36`;
const laptop = new Client(origin, {
  'User-Agent': userAgent('Macintosh; Intel Mac OS X 10_15_7', '140.0.0.0'),
});
const phone = new Client(origin, { 'User-Agent': userAgent('Linux; Android 10; K', '140.0.0.0 Mobile') });
const name = `ada-${Date.now()}`; // the database keeps what earlier runs left

assert.equal((await laptop.get('/me')).status, 401, 'who is not signed in is refused');

const login = await laptop.post('/login', { name });
assert.equal(login.status, 204);
const [cookie] = login.headers['set-cookie'];
for (const attribute of ['__Host-sid=', 'HttpOnly', 'Secure', 'SameSite=Lax'])
  assert.ok(cookie.includes(attribute), `the cookie has ${attribute}`);

await laptop.post('/theme', { theme: 'dark' });
assert.deepEqual((await laptop.get('/me')).body, { userId: name, theme: 'dark' }, 'what is kept comes back');

await phone.post('/login', { name });
const { body: devices } = await laptop.get('/devices');
const shown = devices.map(({ meta, current }) => [meta.deviceName, current]);
assert.deepEqual(
  new Map(shown),
  new Map([
    ['Chrome on macOS', true],
    ['Chrome on Android', false],
  ]),
);

const other = devices.find(({ current }) => !current);
assert.equal((await laptop.post(`/devices/${other.id}/revoke`)).status, 204);
assert.equal((await phone.get('/me')).status, 401, 'the phone is signed out from the laptop');
assert.equal((await laptop.post(`/devices/${other.id}/revoke`)).status, 404);

await laptop.post('/logout');
assert.equal((await laptop.get('/me')).status, 401, 'after log-out the cookie is worth nothing');
console.log('Signed in on two devices, listed them, ended one from the other, logged out.');
