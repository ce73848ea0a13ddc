import { API } from './api.js';

const who = document.querySelector('#who');

/** Asks the API, with the session's cookie: `credentials: 'include'` is what a page on another origin has to say. */
async function ask(path, init = {}) {
  const response = await fetch(API + path, { ...init, credentials: 'include' });
  return { status: response.status, body: await response.text() };
}

function post(path, body = {}) {
  const headers = { 'Content-Type': 'application/json' };
  return ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function show() {
  const { status, body } = await ask('/me');
  if (status === 401) {
    who.textContent = 'Nobody is signed in.';
    return;
  }
  const { userId, clicks } = JSON.parse(body);
  who.textContent = `Signed in as ${userId}, clicks: ${clicks}.`;
}

/** Shows the new state after an action, or that there was no answer. */
function after(action) {
  action.then(show).catch((error) => {
    who.textContent = `The API did not answer: ${error.message}`;
  });
}

document.querySelector('#login').addEventListener('submit', (event) => {
  event.preventDefault();
  after(post('/login', Object.fromEntries(new FormData(event.target))));
});
document.querySelector('#click').addEventListener('click', () => after(post('/clicks')));
document.querySelector('#logout').addEventListener('click', () => after(post('/logout')));

after(Promise.resolve());
