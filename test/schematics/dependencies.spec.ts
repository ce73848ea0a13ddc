import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingDependencies, withDependencies } from '../../src/schematics/dependencies.js';
import { ROOT } from '../docs/compile.js';

const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const appOn = (nest: string, more: Record<string, string> = {}) => ({
  dependencies: { '@nestjs/core': nest, ...more },
});

describe('missingDependencies', () => {
  it('are the versions for the Nest of the app', () => {
    expect(missingDependencies(appOn('^11.0.1'), own, false)).toEqual({
      '@nestjs/schedule': '^6.0.0',
      '@nestjs/terminus': '^11.0.0',
      '@nestjs/typeorm': '^11.0.0',
    });
    expect(missingDependencies(appOn('^12.0.1'), own, false)).toEqual({
      '@nestjs/schedule': '^12.0.0',
      '@nestjs/terminus': '^12.0.0',
      '@nestjs/typeorm': '^12.0.0',
    });
  });

  it('have a driver when there is no data source, of versions that this package is tested with', () => {
    const missing = missingDependencies(appOn('^12.0.1'), own, true);
    expect(missing).toMatchObject({ typeorm: expect.any(String), sqlite3: expect.any(String) });
    expect(own.peerDependencies['typeorm']?.split(' || ')).toContain(missing['typeorm']);
    const major = (range = ''): string | undefined => /\d+/.exec(range)?.[0];
    expect(major(missing['sqlite3'])).toBe(major(own.devDependencies['sqlite3']));
  });

  it('are not those that the app has, in whatever version', () => {
    const app = { ...appOn('^12.0.1', { '@nestjs/typeorm': '^11.0.0' }), devDependencies: { sqlite3: '5' } };
    expect(Object.keys(missingDependencies(app, own, true))).toEqual([
      '@nestjs/schedule',
      '@nestjs/terminus',
      'typeorm',
    ]);
  });
});

describe('withDependencies', () => {
  it('puts them among the others, as npm does', () => {
    const text =
      '{\n    "name": "app",\n    "dependencies": {\n        "b": "1",\n        "d": "1"\n    },\n    "private": true\n}\n';
    expect(withDependencies(text, { c: '2', a: '2' })).toBe(
      '{\n    "name": "app",\n    "dependencies": {\n        "a": "2",\n        "b": "1",\n        "c": "2",\n        "d": "1"\n    },\n    "private": true\n}\n',
    );
  });

  it('leaves the file as it is when nothing is missing', () => {
    expect(withDependencies('{"name":  "app"}', {})).toBe('{"name":  "app"}');
  });
});
