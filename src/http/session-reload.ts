import { isActive } from '../core/session-lifetime.js';
import { gone } from '../core/session-writer.js';
import type { SessionWork } from './session-work.js';

/**
 * Reads the session of this request again. What has not been saved is lost.
 *
 * @throws SessionGoneError when it has ended meanwhile
 */
export function reload(work: SessionWork): Promise<void> {
  return work.inTurn(async () => {
    const { stored, engine } = work;
    if (stored !== null) {
      const row = await engine.backend.lookUp(stored.row.id);
      if (row === null || row.userId !== stored.row.userId || !isActive(row, engine.clock.now()))
        throw gone();
      work.stored = { row, content: engine.vault.open(row) };
    }
    work.discard();
  });
}
