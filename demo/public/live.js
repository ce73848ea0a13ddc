/*
 * Holds an event stream open for as long as a page of somebody who is signed in is shown. When the session ends, wherever
 * that was done, the server ends the stream, and the page makes way for words that say why. Nothing else needs this script.
 */
(() => {
  const { stream: path, user } = document.currentScript.dataset;

  /** Milliseconds until the next attempt: longer each time, when the server cannot be reached. */
  const [SHORTEST_WAIT, LONGEST_WAIT] = [1_000, 10_000];
  /** Milliseconds after which a page that was about to be left is taken to be still there. */
  const STILL_HERE = 10_000;

  /** The stream; `null`: none is open. */
  let events = null;
  let timer;
  let wait = SHORTEST_WAIT;
  let isOver = false;

  /** Opens the stream while the page is shown. Hidden ones would use up what a browser has of connections to one server. */
  function watch() {
    stop();
    if (isOver || document.visibilityState === 'hidden') return;
    events = new EventSource(path);
    events.addEventListener('user', ({ data }) => {
      wait = SHORTEST_WAIT;
      // Somebody else has signed in, in another window: this page is not theirs.
      if (data !== user) location.reload();
    });
    events.addEventListener('devices', ({ data }) => showDevices(parse(data)));
    // An EventSource would connect again by itself, and learn no more than that it is refused.
    events.addEventListener('error', () => {
      stop();
      void ask();
    });
  }

  function stop() {
    clearTimeout(timer);
    events?.close();
    events = null;
  }

  function watchLater(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(watch, milliseconds);
  }

  /** Asks whether the session has ended, or only the connection. */
  async function ask() {
    try {
      const returnTo = new URLSearchParams({ returnTo: location.pathname + location.search });
      const reply = await fetch(`/signed-out?${returnTo}`);
      if (reply.status === 200) return showEnd(parse(await reply.text()));
    } catch {
      // The server cannot be reached.
    }
    watchLater(wait);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }

  /** Shows the words in the place of everything: nothing of somebody who is signed out stays on the screen. */
  function showEnd(page) {
    isOver = true;
    stop();
    document.title = page.title;
    for (const part of ['body > header', 'main']) {
      document.querySelector(part).replaceWith(page.querySelector(part));
    }
    document.querySelector('main h1').focus(); // the words below it are an alert, and read out
    scrollTo(0, 0);
  }

  /** Screen readers have to know the place before something is said there. */
  const news = document.createElement('p');
  news.className = 'visually-hidden';
  news.setAttribute('aria-live', 'polite');
  document.body.append(news);

  /** Puts the newer list in the place of the one that is shown, if people would see a difference. */
  function showDevices(page) {
    const [old, fresh] = [document, page].map((one) => one.getElementById('device-list'));
    if (old === null || fresh === null) return;
    const [before, after] = [old, fresh].map(devicesIn);
    const isSame = [...before.keys()].join() === [...after.keys()].join();
    if (isSame && old.textContent === fresh.textContent) return;

    const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
    old.replaceWith(fresh);
    if (focused !== null) (document.getElementById(focused) ?? heading()).focus({ preventScroll: true });

    const came = [...after].filter(([id]) => !before.has(id));
    const left = [...before].filter(([id]) => !after.has(id));
    for (const [id] of came) document.getElementById(id).classList.add('is-new');
    if (came.length + left.length === 0) return;
    news.textContent = [
      ...came.map(([, name]) => `${name} has signed in.`),
      ...left.map(([, name]) => `${name} is signed out.`),
    ].join(' ');
  }

  /** Names of devices by the id of their row. */
  function devicesIn(list) {
    return new Map([...list.querySelectorAll('[data-name]')].map(({ id, dataset }) => [id, dataset.name]));
  }

  /** Where the focus goes when what had it is gone. */
  function heading() {
    const title = document.querySelector('main h1');
    title.tabIndex = -1;
    return title;
  }

  function parse(html) {
    return new DOMParser().parseFromString(html, 'text/html');
  }

  // Once the page is there, and when it is shown again.
  addEventListener('pageshow', watch);
  document.addEventListener('visibilitychange', watch);
  // What a form of this page ends is told by the page that follows.
  addEventListener('submit', () => {
    stop();
    watchLater(STILL_HERE);
  });
})();
