// Where does the repository live, and does every file say so?
//
//   npm run repository                  says where, and what disagrees
//   npm run repository -- owner/name    moves it there: package.json, the badges, and every absolute address
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { addressOf, isPlaceholder, packageJsonAt, parseAddress, textAt } from './repository/address.mjs';

const wanted = process.argv[2];
const packageJson = JSON.parse(readFileSync('package.json', 'utf8'));
const from = addressOf(packageJson);
const to = wanted === undefined ? from : parseAddress(wanted);
if (to === null) {
  console.error(`Expected owner/name, got ${wanted}`);
  process.exit(2);
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((one) => one.isFile()).map((one) => `${one.parentPath}/${one.name}`);
}

/** Texts that may have an absolute address: documents, how their site is built, and what GitHub reads. */
function textFiles() {
  const files = [...readdirSync('.'), ...['.github', 'docs', 'examples', 'demo'].flatMap(filesBelow)];
  return files.filter(
    (file) => /\.(md|ya?ml|m?[jt]s)$/.test(file) && !/(^|\/)(node_modules|dist|cache|\.build)\//.test(file),
  );
}

const texts = new Map(
  textFiles().map((file) => {
    const text = readFileSync(file, 'utf8');
    return [file, { text, should: textAt(text, from, to, packageJson) }];
  }),
);
texts.set('package.json', {
  text: readFileSync('package.json', 'utf8'),
  should: `${JSON.stringify(packageJsonAt(to, packageJson), null, 2)}\n`,
});
const different = [...texts].filter(([, { text, should }]) => text !== should);
const place = `${to.owner}/${to.name}${isPlaceholder(to) ? ' (a placeholder: nothing is published from it)' : ''}`;

if (wanted === undefined) {
  for (const [file] of different)
    console.error(`${file} says something else: npm run repository -- ${to.owner}/${to.name}`);
  console.log(place);
  process.exit(different.length > 0 ? 1 : 0);
}
for (const [file, { should }] of different) writeFileSync(file, should);
console.log([place, ...different.map(([file]) => `wrote ${file}`)].join('\n'));
