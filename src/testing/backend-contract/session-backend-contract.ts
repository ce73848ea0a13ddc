import { aliveRules } from './alive-rules.js';
import { changeTokenRules } from './change-token-rules.js';
import { claimCleanupRules } from './claim-cleanup-rules.js';
import type { ContractRule } from './contract-rule.js';
import { deleteRules } from './delete-rules.js';
import { evictRules } from './evict-rules.js';
import { findRules } from './find-rules.js';
import { initRules } from './init-rules.js';
import { insertRules } from './insert-rules.js';
import { listRules } from './list-rules.js';
import { keysInUseRules, pruneRules } from './prune-rules.js';
import { rejectRules } from './reject-rules.js';
import { replaceRules } from './replace-rules.js';
import { saveRules } from './save-rules.js';
import { touchRules } from './touch-rules.js';
import { walkRules } from './walk-rules.js';

/** Every rule that a backend has to keep. */
export const sessionBackendContract: readonly ContractRule[] = [
  ...initRules,
  ...findRules,
  ...aliveRules,
  ...insertRules,
  ...replaceRules,
  ...evictRules,
  ...rejectRules,
  ...saveRules,
  ...touchRules,
  ...changeTokenRules,
  ...deleteRules,
  ...listRules,
  ...walkRules,
  ...pruneRules,
  ...keysInUseRules,
  ...claimCleanupRules,
];
