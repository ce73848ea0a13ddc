import { OwnServer } from './own-server.js';
import { binary, freePort, withPrograms } from './programs.js';

/** A Galera cluster of a spec's own, with one MariaDB for each node, all of which may be written to. */
export class GaleraCluster {
  private constructor(
    readonly first: OwnServer,
    readonly second: OwnServer,
  ) {}

  /** A cluster of two nodes that runs. */
  static async make(): Promise<GaleraCluster> {
    const port = await freePort();
    const first = await OwnServer.make('mariadb', [
      ...(await settings(port)),
      '--wsrep-cluster-address=gcomm://',
      '--wsrep-new-cluster',
    ]);
    const address = `--wsrep-cluster-address=gcomm://127.0.0.1:${port}`;
    const second = await OwnServer.make('mariadb', [...(await settings(await freePort())), address]).catch(
      async (error: unknown) => {
        await first.remove();
        throw error;
      },
    );
    return new GaleraCluster(first, second);
  }

  async remove(): Promise<void> {
    await Promise.all([this.first.remove(), this.second.remove()]);
  }
}

/** @see https://mariadb.com/kb/en/configuring-mariadb-galera-cluster/ */
async function settings(port: number): Promise<string[]> {
  const [incremental, whole] = [await freePort(), await freePort()];
  return [
    '--wsrep-on=ON',
    `--wsrep-provider=${binary('libgalera_smm.so')}`,
    '--binlog-format=ROW',
    '--innodb-autoinc-lock-mode=2',
    `--wsrep-node-address=127.0.0.1:${port}`,
    '--wsrep-sst-method=rsync',
    `--wsrep-sst-receive-address=127.0.0.1:${whole}`,
    `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${port};ist.recv_addr=127.0.0.1:${incremental}`,
  ];
}

/** Specs with such a cluster. On a laptop without Galera they are skipped, in a line that says so; with `CI=true` they fail. */
export function withGalera(body: () => void): void {
  withPrograms(['mariadb-install-db', 'mariadbd', 'rsync', 'libgalera_smm.so'], body);
}
