/** A chapter of the sidebar, in the form that VitePress takes. */
export interface Chapter {
  readonly text: string;
  readonly items: readonly { readonly text: string; readonly link: string }[];
}

/**
 * The sidebar, from the lists of the front page: a heading is a chapter, and a link to a page in a list below it is an
 * item. So there is one list of the pages, and it can be read without the site.
 *
 * @param frontPage the text of docs/README.md
 */
export function chaptersOf(frontPage: string): Chapter[] {
  const [, ...sections] = frontPage.split(/^## /m);
  return sections.map((section) => {
    const [text = '', ...lines] = section.split('\n');
    const links = lines
      .filter((line) => line.startsWith('- '))
      .flatMap((line) => [...line.matchAll(/\[([^\]]+)\]\(([\w-]+)\.md\)/g)]);
    return {
      text,
      items: links.map(([, title = '', page = '']) => ({ text: capitalized(title), link: `/${page}` })),
    };
  });
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
