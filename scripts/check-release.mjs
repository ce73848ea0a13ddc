// May this be published? Asked by the release workflow before it publishes; says every reason why not.
//
//   node scripts/check-release.mjs v1.2.3
import { readFileSync } from 'node:fs';
import { addressOf, isPlaceholder } from './repository/address.mjs';

const tag = process.argv[2] ?? '';
const packageJson = JSON.parse(readFileSync('package.json', 'utf8'));
const { version } = packageJson;
const address = addressOf(packageJson);
const { GITHUB_REPOSITORY: running } = process.env;
const here = `${address.owner}/${address.name}`;
const heading = readFileSync('CHANGELOG.md', 'utf8')
  .split('\n')
  .find((line) => line.startsWith(`## ${version} `));

const problems = [
  isPlaceholder(address) &&
    'package.json has a placeholder for the repository: npm run repository -- owner/name, and commit it',
  running !== undefined &&
    running !== here &&
    `package.json says the repository is ${here}, this one is ${running}`,
  tag !== `v${version}` &&
    `the tag is ${tag || 'missing'}, the version is ${version}: expected the tag v${version}`,
  !/ - \d{4}-\d{2}-\d{2}$/.test(heading ?? '') &&
    `CHANGELOG.md has no heading "## ${version} - <date>": ${heading ?? 'there is none for this version'}`,
].filter(Boolean);

for (const problem of problems) console.error(`release: ${problem}`);
if (problems.length === 0) console.log(`${packageJson.name} ${version} may be published from ${here}`);
process.exitCode = problems.length > 0 ? 1 : 0;
