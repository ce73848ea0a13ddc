import Sequencer from '@jest/test-sequencer'; // the one that comes with Jest
import { relative, sep } from 'node:path';
import { LONGEST } from './test-runs.js';

/**
 * Starts the longest specs first, so that no worker ends with one of them while the others have nothing left to do. Jest
 * goes by how long they took the last time, and on a new machine by the size of their files, which tells little.
 */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort.call(this, tests).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ path }) {
  const spec = relative('test', path).split(sep).join('/');
  const index = LONGEST.findIndex((start) => spec.startsWith(start));
  return index < 0 ? LONGEST.length : index;
}
