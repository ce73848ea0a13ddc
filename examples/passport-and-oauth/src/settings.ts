export const PORT = Number(process.env.PORT ?? 3000);
export const APP = `http://localhost:${PORT}`;
/** Where the provider sends the browser back to. It has to know this address beforehand. */
export const CALLBACK = `${APP}/login/provider/callback`;

export const PROVIDER_PORT = Number(process.env.PROVIDER_PORT ?? 3001);
export const PROVIDER = `http://localhost:${PROVIDER_PORT}`;

/** What the provider knows this app by. */
export const CLIENT = { id: setting('PROVIDER_CLIENT_ID'), secret: setting('PROVIDER_CLIENT_SECRET') };

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`Expected ${name} in .env, see .env.example`);
  return value;
}
