/** Styles: VitePress brings them to the page. */
declare module '*.css';
