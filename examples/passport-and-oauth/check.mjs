// Asks the running app for what this example shows: `npm start` in one terminal, `npm test` in another.
import assert from 'node:assert/strict';
import { Client } from './client.mjs';

const app = `http://localhost:${process.env.PORT ?? 3000}`;
const provider = `http://localhost:${process.env.PROVIDER_PORT ?? 3001}`;
const name = `ada-${Date.now()}`; // the database keeps what earlier runs left
const password = 'correct horse battery staple';
/** What a browser sends when another site leads to a page. */
const visit = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
const location = (response) => new URL(response.headers.location, app);

/** Goes to the provider, says who it is there, and returns the address that leads back to the app. */
async function askProvider(browser, who) {
  const there = location(await browser.get('/login/provider'));
  assert.equal(there.origin, provider);
  const { state, code_challenge, code_challenge_method } = Object.fromEntries(there.searchParams);
  assert.ok(state.length >= 20, 'a state that nobody guesses');
  assert.match(code_challenge, /^[\w-]{43}$/);
  assert.equal(code_challenge_method, 'S256');
  assert.match((await new Client(provider).get(there.pathname + there.search)).body, /Who are you/);
  const form = new URLSearchParams({ state, code_challenge, name: who });
  const back = await fetch(`${provider}/authorize`, { method: 'POST', body: form, redirect: 'manual' });
  return new URL(back.headers.get('location'));
}

// A password
const laptop = new Client(app);
assert.equal((await laptop.post('/register', { name, password })).status, 303);
assert.equal((await laptop.post('/login', { name, password: 'guess' })).status, 401);
assert.equal((await laptop.get('/me')).status, 401);
assert.equal((await laptop.post('/login', { name, password })).status, 303);
const { body: me } = await laptop.get('/me');
assert.equal(me.name, name, 'Passport has loaded the user');
assert.equal((await laptop.get('/devices')).body.length, 1, 'and sessions are listed for it');

// The provider
const phone = new Client(app);
const back = await askProvider(phone, name);
const before = new Map(phone.cookies);
const returned = await phone.get(back.pathname + back.search, visit);
assert.equal(returned.status, 303, 'a code with the state of this browser signs in');
assert.notDeepEqual(phone.cookies, before, 'with a new token');
const { body: other } = await phone.get('/me');
assert.equal(other.name, name);
assert.notEqual(
  other.userId,
  me.userId,
  'the same name at the provider is another account than the one here',
);

// What must not work
const replayed = await phone.get(back.pathname + back.search, visit);
assert.equal(replayed.status, 401, 'the way back works once');
const victim = new Client(app);
const planted = await askProvider(new Client(app), 'mallory');
const refused = await victim.get(planted.pathname + planted.search, visit);
assert.equal(refused.status, 401, 'and in no other browser');
assert.equal((await victim.get('/me')).status, 401);
const exchange = await fetch(`${provider}/token`, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'authorization_code',
    code: planted.searchParams.get('code'),
    redirect_uri: planted.origin + planted.pathname,
    client_id: process.env.PROVIDER_CLIENT_ID,
    client_secret: process.env.PROVIDER_CLIENT_SECRET,
    code_verifier: 'a guess',
  }),
});
assert.deepEqual(
  await exchange.json(),
  { error: 'invalid_grant' },
  'a stolen code is no use without its verifier',
);

// The same person again
const tablet = new Client(app);
const again = await askProvider(tablet, name);
await tablet.get(again.pathname + again.search, visit);
assert.equal((await tablet.get('/me')).body.userId, other.userId);
assert.equal((await tablet.get('/devices')).body.length, 2, 'two devices of one account');
assert.equal((await tablet.post('/logout')).status, 303);
assert.equal((await tablet.get('/me')).status, 401);
console.log('Signed in with a password and with the provider; used, planted and stolen codes were refused.');
