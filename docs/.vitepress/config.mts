import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { addressOf, isPlaceholder, urlOf } from '../../scripts/repository/address.mjs';
import { anchorOf } from './site/anchors.js';
import { followTheSwitch, redirectLinks } from './site/markdown.js';
import { siteLink } from './site/repository.js';
import { chaptersOf } from './site/sidebar.js';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const isFolder = (path: string): boolean =>
  statSync(fileURLToPath(new URL(path, root)), { throwIfNoEntry: false })?.isDirectory() ?? false;
const address = addressOf(JSON.parse(read('package.json')));
const repository = isPlaceholder(address) ? undefined : urlOf(address);

export default defineConfig({
  title: 'nest-sessions',
  description: 'Server-side sessions for NestJS 11 and 12, on Express and on Fastify.',
  lang: 'en',
  rewrites: { 'README.md': 'index.md' },
  head: [
    ['link', { rel: 'icon', href: `data:image/svg+xml,${encodeURIComponent(read('demo/public/icon.svg'))}` }],
  ],
  markdown: {
    anchor: { slugify: anchorOf },
    config(markdown) {
      redirectLinks(markdown, (target) => siteLink(target, repository, isFolder));
      followTheSwitch(markdown);
    },
  },
  themeConfig: {
    sidebar: chaptersOf(read('docs/README.md')).map(({ text, items }) => ({ text, items: [...items] })),
    outline: [2, 3],
    search: {
      provider: 'local',
      // All words of a question, and short ones whole: "remember me" is not about members.
      options: {
        miniSearch: {
          searchOptions: { combineWith: 'AND', fuzzy: false, prefix: (term) => term.length > 2 },
        },
      },
    },
    ...(repository && {
      editLink: { pattern: `${repository}/edit/main/docs/:path`, text: 'Edit this page' },
      socialLinks: [{ icon: 'github' as const, link: repository }],
    }),
  },
});
