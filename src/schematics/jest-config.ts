/*
 * The configuration of Jest in an app of CommonJS. Jest loads ESM packages there by compiling them, and leaves out what is
 * below node_modules unless it is told otherwise.
 */

/** All of node_modules but this package, also where pnpm has it. */
const OTHERS = '/node_modules/(?!(?:\\.pnpm/.*/)?nest-sessions/)';

/**
 * A JSON file with a configuration that compiles this package. One without `transform`, or with
 * `transformIgnorePatterns` of its own, stays as it is, and so does a file without one.
 *
 * @param text a package.json, or a file that is a configuration
 * @param isManifest whether it is a package.json, which has the configuration under `jest`
 */
export function withCompiledPackage(text: string, isManifest: boolean): string {
  const json = JSON.parse(text) as Record<string, unknown>;
  const config = isManifest ? json['jest'] : json;
  if (!isObject(config) || !('transform' in config) || 'transformIgnorePatterns' in config) return text;
  const changed = { ...config, transformIgnorePatterns: [OTHERS] };
  const indentation = /^[\t ]+/m.exec(text)?.[0] ?? '  ';
  return `${JSON.stringify(isManifest ? { ...json, jest: changed } : changed, null, indentation)}\n`;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
