import { setTimeout as sleep } from 'node:timers/promises';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import type { EndedSessions } from '../../../../../src/core/session-bus.js';
import { RecordingLogger } from '../../../../core/support/open-store.js';
import { withOwnServer } from '../../../../support/own-server.js';
import { ServerPair } from '../../../../support/server-pair.js';
import { OPTIONS } from '../../support/open-backend.js';

describe('LISTEN on a primary that is demoted while its standby takes over', () => {
  withOwnServer('postgres', () => {
    let pair: ServerPair;
    let backend: TypeOrmSessionBackend | undefined;
    beforeAll(async () => (pair = await ServerPair.make('postgres')));
    afterAll(async () => {
      await backend?.close();
      await pair.remove();
    });

    it('is begun anew at the new one, as soon as a look-up has noticed', async () => {
      const logger = new RecordingLogger();
      backend = new TypeOrmSessionBackend(pair.name(), { ...OPTIONS, logger });
      await backend.init();
      const heard: EndedSessions[] = [];
      const stop = backend.bus()!.subscribe((ended) => heard.push(ended));
      const hear = async (count: number): Promise<void> => {
        for (const end = performance.now() + 10_000; heard.length < count && performance.now() < end;)
          await sleep(10);
        expect(heard).toHaveLength(count);
      };
      await hear(1);
      await sleep(300); // the connections are no new ones then

      await pair.demoteFirst();
      await pair.promoteSecond();
      expect(await backend.find(['a'])).toEqual([null]);
      await hear(2);
      expect(heard).toEqual(['all', 'all']);

      const other = new TypeOrmSessionBackend(pair.options(pair.second), OPTIONS);
      await other.bus()!.publish(['a']);
      await hear(3);
      expect(heard[2]).toEqual(['a']);
      expect(logger.warnings.filter((line) => !line.includes('LISTEN of `live.bus` failed'))).toEqual([]);
      await stop();
      await other.close();
    });
  });
});
