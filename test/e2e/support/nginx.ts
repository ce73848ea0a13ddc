import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary, freePort, unprivileged } from '../../support/programs.js';
import { selfSigned } from './self-signed.js';

/** An nginx of a spec's own, with a folder of its own, that serves what a page shows. */
export class Nginx {
  private constructor(
    private readonly folder: string,
    private readonly process: ChildProcess,
    /** Ports that take the place of those of the block. */
    readonly port: { readonly https: number; readonly http: number },
  ) {}

  /**
   * @param block what the page shows; only ports, addresses of the app, and paths of the certificate are replaced
   * @param host whose certificate it has
   * @param replicas ports of the app on this machine
   */
  static async with(block: string, host: string, replicas: readonly number[]): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-nginx-'));
    const { key, cert } = selfSigned(host);
    const port = { https: await freePort(), http: await freePort() };
    const left = [...replicas];
    const site = block
      .replaceAll(/server 10\.0\.0\.\d+:3000;/g, () => `server 127.0.0.1:${left.shift()};`)
      .replace('listen 443 ssl;', `listen 127.0.0.1:${port.https} ssl;`)
      .replace('listen 80;', `listen 127.0.0.1:${port.http};`)
      .replaceAll(/\/etc\/nginx\/\S+\.(crt|key);/g, (_, ending) => join(folder, `site.${ending}`) + ';');
    const files = { 'site.crt': cert, 'site.key': key, 'site.conf': site, 'nginx.conf': MAIN };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const user = unprivileged();
    const paths = [folder, ...Object.keys(files).map((name) => join(folder, name))];
    for (const path of user ? paths : []) await chown(path, user?.uid ?? 0, user?.gid ?? 0);
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
    const child = spawn(binary('nginx'), args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += String(text)));
    const nginx = new Nginx(folder, child, port);
    for (const end = performance.now() + 20_000; performance.now() < end; await sleep(20)) {
      if (await answers(port.https)) return nginx;
      if (child.exitCode !== null) break;
    }
    await nginx.stop();
    throw new Error(`nginx has not started: ${said}`);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exit = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await exit;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What Debian's nginx.conf has around a site, as a user who may not write elsewhere. */
const MAIN = `
daemon off;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include site.conf;
}
`;

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
