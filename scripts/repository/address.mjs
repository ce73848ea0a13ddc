// Where the repository lives. `repository.url` of package.json is the one place that says so; every other absolute address
// follows from it. Texts in, texts out: what reads and writes files is ../repository.mjs.

/** The owner until there is one. No account of GitHub can have this name, because it has underscores. */
export const PLACEHOLDER = '__owner__';

/** `owner/name` that somebody typed; `null` when it cannot be a repository of GitHub. */
export function parseAddress(text) {
  const [, owner, name] =
    /^([A-Za-z\d](?:[A-Za-z\d-]{0,37}[A-Za-z\d])?|__owner__)\/([\w.-]{1,100})$/.exec(text) ?? [];
  return owner === undefined ? null : { owner, name };
}

/** The address that package.json gives. */
export function addressOf(packageJson) {
  const url = packageJson.repository?.url ?? '';
  const address = parseAddress(/^git\+https:\/\/github\.com\/(.*)\.git$/.exec(url)?.[1] ?? '');
  if (address === null)
    throw new Error(
      `Expected repository.url to be git+https://github.com/owner/name.git, got ${url || 'nothing'}`,
    );
  return address;
}

export const isPlaceholder = ({ owner }) => owner === PLACEHOLDER;
export const urlOf = ({ owner, name }) => `https://github.com/${owner}/${name}`;

/** package.json with that address: `repository`, `homepage` and `bugs`. */
export function packageJsonAt(address, packageJson) {
  const url = urlOf(address);
  return {
    ...packageJson,
    repository: { type: 'git', url: `git+${url}.git` },
    homepage: `${url}#readme`,
    bugs: `${url}/issues`,
  };
}

/** A picture of shields.io whose text never changes. */
function badge(label, message, color) {
  const [left, right] = [label, message].map((text) => encodeURIComponent(text.replaceAll('-', '--')));
  return `![${label}: ${message}](https://img.shields.io/badge/${left}-${right}-${color})`;
}

/**
 * The badges of the README. What depends on the repository or the registry is shown when there is one: until then such a
 * badge would say "not found".
 */
export function badgesOf(address, { name, license, engines }) {
  const url = urlOf(address);
  const node = engines.node.replace(/\^([\d.]+)|>=([\d.]+)/g, (_, from, above) => `${from ?? above}+`);
  const fixed = [
    `[${badge('licence', license, 'blue')}](LICENSE)`,
    badge('Node', node.replaceAll(' || ', ', '), 'blue'),
  ];
  if (isPlaceholder(address)) return fixed.join(' ');
  const ci = `${url}/actions/workflows/ci.yml`;
  const npm = `https://www.npmjs.com/package/${name}`;
  return [
    `[![CI](${ci}/badge.svg?branch=main)](${ci})`,
    `[![npm](https://img.shields.io/npm/v/${name})](${npm})`,
    ...fixed,
  ].join(' '); // one line, as Prettier has a paragraph of the README
}

const BADGES = /(<!-- badges -->)[^]*?(<!-- \/badges -->)/;

/** A text with the addresses of `from` led to `to`, and with the badges of `to` where the text has a place for them. */
export function textAt(text, from, to, packageJson) {
  return text
    .replace(new RegExp(`${escapeRegExp(urlOf(from))}(?![\\w-])`, 'g'), urlOf(to))
    .replace(BADGES, (_, before, after) => `${before}\n\n${badgesOf(to, packageJson)}\n\n${after}`);
}

function escapeRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
