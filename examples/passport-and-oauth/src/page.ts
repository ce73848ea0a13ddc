const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}

/** @param name who is signed in; `null`: nobody */
export function page(name: string | null): string {
  const main =
    name === null
      ? `<form method="post" action="/login">
          <p><label>Name <input name="name" required autocomplete="username"></label></p>
          <p><label>Password <input name="password" type="password" required autocomplete="current-password"></label></p>
          <button>Sign in</button> <button formaction="/register">Register</button>
        </form>
        <p><a href="/login/provider">Sign in with the provider</a></p>`
      : `<p>Signed in as ${escapeHtml(name)}. <a href="/devices">Your devices</a></p>
        <form method="post" action="/logout"><button>Log out</button></form>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Passport</title><h1>Passport</h1>${main}</html>`;
}
