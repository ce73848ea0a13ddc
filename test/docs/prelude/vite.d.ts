/** Of Vite, as much as the page about single-page apps shows: test/e2e/single-page-app.spec.ts runs the real one. */
declare module 'vite' {
  export function defineConfig(config: {
    readonly server: {
      readonly port: number;
      readonly proxy: Readonly<Record<string, { readonly target: string }>>;
    };
  }): object;
}
