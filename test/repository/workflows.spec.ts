import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../docs/compile.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Job {
  readonly needs?: string | readonly string[];
  readonly uses?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: { readonly node: readonly number[] } };
  readonly container?: { readonly image: string };
  readonly steps?: readonly Step[];
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}
interface Form {
  readonly name: string;
  readonly description: string;
  readonly body: readonly {
    readonly type: string;
    readonly id?: string;
    readonly attributes: {
      readonly label?: string;
      readonly value?: string;
      readonly options?: readonly string[];
    };
    readonly validations?: { readonly required: boolean };
  }[];
}

const GITHUB = join(ROOT, '.github');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const yaml = (file: string): unknown => parse(read(file));
const packageJson = JSON.parse(read('package.json')) as {
  readonly engines: { readonly node: string };
  readonly scripts: Readonly<Record<string, string>>;
};
const ci = yaml('.github/workflows/ci.yml') as Workflow;
const release = yaml('.github/workflows/release.yml') as Workflow;
const steps = (workflow: Workflow): Step[] => Object.values(workflow.jobs).flatMap((job) => job.steps ?? []);
const commands = (job: Job | undefined): string[] => (job?.steps ?? []).flatMap(({ run }) => run ?? []);

/** Major versions, as numbers. */
const majors = (text: string): number[] => [...text.matchAll(/(?<![\d.])\d+/g)].map(Number);

describe('what GitHub reads', () => {
  const texts = readdirSync(GITHUB, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ya?ml|md)$/.test(file))
    .map((file) => [file, readFileSync(join(GITHUB, file), 'utf8')] as const);

  it('names commands and files that exist', () => {
    const all = texts.map(([, text]) => text).join('\n');
    const scripts = [...all.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect(scripts).toContain('lint');
    expect(scripts.filter((name) => packageJson.scripts[name] === undefined)).toEqual([]);
    const files = [...all.matchAll(/(?<![\w/])(?:scripts|\.ci|\.github)\/[\w./-]*\w/g)].map(([file]) => file);
    expect(files).toContain('scripts/check-release.mjs');
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('pins each action to a major version', () => {
    const uses = [ci, release].flatMap(steps).flatMap((step) => step.uses ?? []);
    expect(uses.length).toBeGreaterThan(2);
    expect(uses.filter((one) => !/^actions\/[\w-]+@v\d+$/.test(one))).toEqual([]);
  });

  it('gives workflows no more than reading, except for the job that publishes', () => {
    expect([ci.permissions, release.permissions]).toEqual([{ contents: 'read' }, { contents: 'read' }]);
    const jobs = [ci, release].flatMap(({ jobs: all }) => Object.entries(all));
    const more = jobs.filter(([, { permissions }]) => permissions !== undefined);
    expect(more.map(([name, { permissions }]) => [name, permissions])).toEqual([
      ['publish', { contents: 'read', 'id-token': 'write' }],
    ]);
  });
});

describe('the workflow of a change', () => {
  const [job] = Object.values(ci.jobs);
  const nodes = job?.strategy?.matrix.node ?? [];

  it('runs .ci/run, which can be run', () => {
    expect(commands(job)).toEqual(['.ci/run']);
    expect(() => accessSync(join(ROOT, '.ci/run'), constants.X_OK)).not.toThrow();
    expect(Object.keys(ci.on)).toEqual(expect.arrayContaining(['push', 'pull_request']));
  });

  it('runs on each version of Node that the package supports, where apt-get has what is missing', () => {
    expect(nodes).toEqual(majors(packageJson.engines.node));
    const [, apps = ''] = /^nodes=\((.*)\)$/m.exec(read('scripts/check-apps.sh')) ?? [];
    expect(nodes).toEqual(majors(apps));
    expect(job?.container?.image).toBe('node:${{ matrix.node }}-bookworm');
  });
});

describe('the workflow of a release', () => {
  const { publish, ...others } = release.jobs;

  it('is started by a tag of a version, and by nothing else', () => {
    expect(release.on).toEqual({ push: { tags: ['v*'] } });
  });

  it('publishes with provenance, after everything has passed', () => {
    expect(commands(publish).at(-1)).toBe('npm publish --provenance --access public');
    expect(Object.values(others).flatMap(commands).join()).not.toContain('publish ');
    const needed = [publish?.needs ?? []].flat().map((name) => release.jobs[name]);
    expect(needed.map((job) => job?.uses)).toContain('./.github/workflows/ci.yml');
    expect(Object.keys(ci.on)).toContain('workflow_call');
  });

  it('asks whether it may be published before anything else is run', () => {
    const check = 'node scripts/check-release.mjs "$GITHUB_REF_NAME"';
    expect(commands(publish)[0]).toBe(check);
    const first = Object.values(release.jobs).filter(({ needs }) => needs === undefined);
    expect(first.map(commands)).toEqual([[check]]);
  });
});

describe('the updates', () => {
  it('look at every package.json but those of test/apps', () => {
    const { updates } = yaml('.github/dependabot.yml') as {
      readonly updates: readonly {
        readonly 'package-ecosystem': string;
        readonly directories?: readonly string[];
      }[];
    };
    const listed = updates.flatMap(({ directories = [] }) => directories);
    const folders = [
      '.',
      ...readdirSync(ROOT),
      ...readdirSync(join(ROOT, 'examples')).map((one) => `examples/${one}`),
    ];
    const own = folders
      .filter((folder) => folder !== 'node_modules' && existsSync(join(ROOT, folder, 'package.json')))
      .map((folder) => (folder === '.' ? '/' : `/${folder.replace(/^examples\/.*/, 'examples/*')}`));
    expect(new Set(listed)).toEqual(new Set(own));
    expect(updates.map((one) => one['package-ecosystem'])).toContain('github-actions');
  });
});

describe.each(['bug.yml', 'feature.yml'])('the form %s', (file) => {
  const form = yaml(`.github/ISSUE_TEMPLATE/${file}`) as Form;
  const questions = form.body.filter(({ type }) => type !== 'markdown');

  it('asks questions that GitHub can show', () => {
    expect([form.name, form.description]).toEqual([expect.any(String), expect.any(String)]);
    expect(questions.map(({ id }) => id)).toEqual([...new Set(questions.map(({ id }) => id))]);
    for (const { type, id, attributes } of questions) {
      expect(['textarea', 'input', 'dropdown']).toContain(type);
      expect(id).toMatch(/^[\w-]+$/);
      expect(attributes.label).toEqual(expect.any(String));
      expect(attributes.options !== undefined).toBe(type === 'dropdown');
    }
    expect(questions.some(({ validations }) => validations?.required)).toBe(true);
  });
});

describe('the other ways to write to us', () => {
  it('lead vulnerabilities to SECURITY.md and questions to the discussions', () => {
    const { contact_links: links, blank_issues_enabled: isBlank } = yaml(
      '.github/ISSUE_TEMPLATE/config.yml',
    ) as {
      readonly blank_issues_enabled: boolean;
      readonly contact_links: readonly { readonly url: string; readonly about: string }[];
    };
    expect(isBlank).toBe(false);
    expect(links.map(({ url }) => url.replace(/^https:\/\/github\.com\/[^/]+\/[^/]+/, ''))).toEqual([
      '/security/policy',
      '/discussions',
    ]);
    expect(links[0]?.about).toContain('SECURITY.md');
  });
});
