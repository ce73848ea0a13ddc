import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { basename, join } from 'node:path';

/** A frame of a profile. */
interface Frame {
  readonly functionName: string;
  /** File, below `node_modules` or the project, and function. */
  readonly at: string;
}

/** Files of the build by what they are about: one that is moved has to be moved here too. */
const GATE = 'dist/http/response/response-methods.js';
const CRYPTOGRAPHY = ['key-ring', 'payload-sealer', 'random-numbers', 'session-token', 'subkeys'].map(inCore);
const DATA = ['json-data', 'merge-changes', 'session-content', 'session-data', 'working-copy'].map(inCore);
for (const file of [GATE, ...CRYPTOGRAPHY, ...DATA]) statSync(join(import.meta.dirname, '../..', file));

function inCore(name: string): string {
  return `dist/core/${name}.js`;
}

const isIn = (files: readonly string[], at: string): boolean =>
  files.some((file) => at.startsWith(`${file} `));

/** What belongs to nothing else. */
const REST = 'Node: HTTP and sockets';

/** What a frame belongs to, by the first that fits. Frames that fit none belong to whoever called them. */
const PARTS: readonly (readonly [part: string, fits: (frame: Frame) => boolean])[] = [
  ['garbage collection', ({ functionName }) => functionName === '(garbage collector)'],
  [REST, ({ at }) => at.startsWith(`${GATE} call`)],
  ['cryptography', ({ at }) => isIn(CRYPTOGRAPHY, at)],
  ['data: JSON, copies, comparisons', ({ at }) => isIn(DATA, at)],
  ['database and driver', ({ at }) => /^(dist\/backends|sqlite3|better-sqlite3|pg|mysql2|typeorm)/.test(at)],
  ['rest of the store', ({ at }) => at.startsWith('dist/core/')],
  ['guard, interceptor and gate', ({ at }) => at.startsWith('dist/')],
  [
    'Nest and platform',
    ({ at }) => /^(@nestjs|@fastify|rxjs|fastify|express|router|body-parser|finalhandler|send|qs)/.test(at),
  ],
];

function frameOf({ url, functionName }: Profiler.ProfileNode['callFrame']): Frame {
  const file = /.*\/node_modules\/(.*)/.exec(url)?.[1] ?? /.*\/(dist\/.*)/.exec(url)?.[1] ?? url;
  return { functionName, at: `${file} ${functionName}` };
}

/** Where the time of one profile went: shares of 1, without idle time. */
function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Map<string, number> {
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, frameOf(callFrame)]));
  const partOf = (id: number | undefined): string => {
    const frame = id === undefined ? undefined : frames.get(id);
    if (id === undefined || frame === undefined) return REST;
    return PARTS.find(([, fits]) => fits(frame))?.[0] ?? partOf(parents.get(id));
  };
  const known = new Map(nodes.map(({ id }) => [id, partOf(id)]));
  const shares = new Map<string, number>();
  const isIdle = (id: number): boolean => frames.get(id)?.functionName === '(idle)';
  const total = samples.reduce((sum, id, i) => (isIdle(id) ? sum : sum + (timeDeltas[i] ?? 0)), 0);
  samples.forEach((id, i) => {
    if (isIdle(id)) return;
    const part = known.get(id) ?? REST;
    shares.set(part, (shares.get(part) ?? 0) + (timeDeltas[i] ?? 0) / total);
  });
  return shares;
}

const [folder] = process.argv.slice(2);
if (folder === undefined)
  throw new Error('npm run shares -- <folder of npm run bench -- --profile <folder>>');
const columns = readdirSync(folder)
  .filter((name) => name.endsWith('.cpuprofile'))
  .map((name) => {
    const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profiler.Profile;
    return { name: basename(name, '.cpuprofile'), shares: sharesOf(profile) };
  });
const parts = [...new Set(PARTS.map(([part]) => part))];
const cell = (share = 0): string => `${(100 * share).toFixed(0)} %`;
const rows = parts.map((part) => [part, ...columns.map(({ shares }) => cell(shares.get(part)))]);
const head = ['', ...columns.map(({ name }) => name)];
for (const cells of [head, head.map(() => '---'), ...rows]) console.log(`| ${cells.join(' | ')} |`);
