import { MemorySessionBackend } from '../../../src/backends/memory/memory-session-backend.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';

describeSessionBackend('MemorySessionBackend', () => {
  const first = new MemorySessionBackend();
  return [first, new MemorySessionBackend(first)];
});
