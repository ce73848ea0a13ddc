import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { API } from './settings.js';

const read = (file: string) => readFileSync(new URL(`../public/${file}`, import.meta.url), 'utf8');

/** The files of the front end, by path. It learns where the API is from a module of its own. */
const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  '/': ['text/html', read('index.html')],
  '/app.js': ['text/javascript', read('app.js')],
  '/api.js': ['text/javascript', `export const API = ${JSON.stringify(API)};\n`],
};

/** A server for static files, which ends with the process. */
export function serveFrontEnd(port: number): void {
  const server = createServer(({ url = '/' }, response) => {
    const [type, text] = FILES[url] ?? [];
    if (type === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(text);
  });
  server.listen(port);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
}
