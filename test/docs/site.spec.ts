import { join } from 'node:path';
import { redirectLinks } from '../../docs/.vitepress/site/markdown.js';
import { siteLink } from '../../docs/.vitepress/site/repository.js';
import { chaptersOf } from '../../docs/.vitepress/site/sidebar.js';
import { DOCUMENTS, ROOT } from './compile.js';
import { Document } from './document.js';

describe('the sidebar of the site', () => {
  const chapters = chaptersOf(Document.read(join(ROOT, 'docs/README.md')).text);

  it('has the chapters of the front page, and every page once', () => {
    expect(chapters.map(({ text }) => text)).toEqual(['Begin', 'Do', 'Run', 'Trust', 'Move and extend']);
    const pages = DOCUMENTS.filter((name) => name.startsWith('docs/') && name !== 'docs/README.md');
    const listed = chapters.flatMap(({ items }) => items.map((item) => `docs${item.link}.md`));
    expect(listed.toSorted()).toEqual(pages.toSorted());
  });

  it('begins each title with a capital, and takes no link from prose', () => {
    const text =
      '# Docs\n\n[Up](up.md)\n\n## Run\n\nSee [below](b.md).\n\n- [A](a.md), and all [cats](cats.md)\n';
    expect(chaptersOf(text)).toEqual([
      {
        text: 'Run',
        items: [
          { text: 'A', link: '/a' },
          { text: 'Cats', link: '/cats' },
        ],
      },
    ]);
  });
});

describe('links that lead out of the pages', () => {
  const isFolder = (path: string): boolean => !path.includes('.');

  it.each([
    ['../src/index.ts', 'https://example.org/us/it/blob/HEAD/src/index.ts'],
    ['../bench/profile.md#last', 'https://example.org/us/it/blob/HEAD/bench/profile.md#last'],
    ['../src', 'https://example.org/us/it/tree/HEAD/src'],
    ['../demo/', 'https://example.org/us/it/tree/HEAD/demo'],
    ['../', 'https://example.org/us/it/tree/HEAD/'],
    ['options.md#ttl', 'options.md#ttl'],
    ['#here', '#here'],
    ['https://example.com/x', 'https://example.com/x'],
  ])('lead from %s to %s', (target, place) => {
    expect(siteLink(target, 'https://example.org/us/it', isFolder)).toBe(place);
  });

  it('are text where it is not known where the repository lives', () => {
    expect(siteLink('../src/index.ts', undefined, isFolder)).toBeNull();
    expect(siteLink('options.md', undefined, isFolder)).toBe('options.md');
  });

  it('lose their tags, and keep their words', () => {
    const [gone, stays] = [link('../src'), link('a.md')];
    const words = { type: 'text', content: 'words', children: null, attrGet: () => null, attrSet: () => {} };
    const children = [gone, words, close(), stays, words, close()];
    let rule = (_state: { tokens: { children: typeof children }[] }): void => {};
    const markdown = { core: { ruler: { push: (_name: string, one: typeof rule) => void (rule = one) } } };
    redirectLinks(markdown as never, (target) => (target.startsWith('../') ? null : `/${target}`));
    rule({ tokens: [{ children }] });
    expect(children.map(({ type }) => type)).toEqual(['text', 'link_open', 'text', 'link_close']);
    expect(stays.attrGet()).toBe('/a.md');
  });
});

function link(target: string) {
  let href = target;
  return {
    type: 'link_open',
    content: '',
    children: null,
    attrGet: () => href,
    attrSet: (_name: string, value: string) => void (href = value),
  };
}

function close() {
  return { ...link(''), type: 'link_close', attrGet: () => '' };
}
