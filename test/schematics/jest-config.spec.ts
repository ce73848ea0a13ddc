import { withCompiledPackage } from '../../src/schematics/jest-config.js';

const CONFIG = '{ "transform": { "^.+\\\\.ts$": "ts-jest" } }';

describe('withCompiledPackage', () => {
  const [pattern = ''] = (
    JSON.parse(withCompiledPackage(CONFIG, false)) as { readonly transformIgnorePatterns: readonly string[] }
  ).transformIgnorePatterns;

  it.each([
    ['/app/node_modules/nest-sessions/dist/index.js', false],
    ['/app/node_modules/.pnpm/nest-sessions@0.1.0_x/node_modules/nest-sessions/dist/index.js', false],
    ['/app/node_modules/nest-sessions-other/index.js', true],
    ['/app/node_modules/express/index.js', true],
    ['/app/node_modules/nest-sessions/node_modules/ms/index.js', true],
    ['/app/node_modules/.pnpm/ms@2.1.3/node_modules/ms/index.js', true],
  ])('makes Jest leave out %s: %s', (path, isLeftOut) => {
    expect(new RegExp(pattern).test(path)).toBe(isLeftOut);
  });

  it('finds the configuration in a package.json, and keeps the rest', () => {
    const text = `{\n  "name": "app",\n  "jest": ${CONFIG},\n  "private": true\n}\n`;
    expect(JSON.parse(withCompiledPackage(text, true))).toEqual({
      name: 'app',
      jest: { transform: { '^.+\\.ts$': 'ts-jest' }, transformIgnorePatterns: [pattern] },
      private: true,
    });
  });

  it.each([
    ['{ "name":  "app" }', true],
    ['{ "jest":  "preset" }', true],
    ['{ "rootDir":  "." }', false],
    ['{ "transform":  {}, "transformIgnorePatterns": [] }', false],
  ])('leaves %s as it is', (text, isManifest) => {
    expect(withCompiledPackage(text, isManifest)).toBe(text);
  });
});
