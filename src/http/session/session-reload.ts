import { isActive } from '../../core/session-expiry.js';
import { gone } from '../../core/session-errors.js';
import type { RequestSessionState } from './request-session-state.js';

/**
 * Reads the session of this request again. What has not been saved is lost.
 *
 * @throws SessionGoneError when it has ended meanwhile
 */
export function reload(work: RequestSessionState): Promise<void> {
  return work.inTurn(async () => {
    const { stored, manager } = work;
    if (stored !== null) {
      const row = await manager.backend.lookUp(stored.row.id);
      if (row === null || row.userId !== stored.row.userId || !isActive(row, manager.clock.now()))
        throw gone();
      work.stored = { row, content: manager.sealer.open(row) };
    }
    work.discard();
  });
}
