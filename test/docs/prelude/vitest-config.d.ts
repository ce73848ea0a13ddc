/** Of Vitest, as much as the page about testing shows: test/apps/nest12-esm runs the real one. */
declare module 'vitest/config' {
  export function defineConfig(config: {
    readonly test: {
      readonly globals: boolean;
      readonly include: readonly string[];
      readonly setupFiles: readonly string[];
    };
  }): object;
}
