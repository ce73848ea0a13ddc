/** The parts of a token of markdown-it that are looked at here. */
interface Token {
  readonly type: string;
  content: string;
  readonly children: Token[] | null;
  attrGet(name: string): string | null;
  attrSet(name: string, value: string): void;
}

/** The parts of markdown-it that are used here. */
interface Markdown {
  readonly core: { readonly ruler: { push(name: string, rule: (state: { tokens: Token[] }) => void): void } };
}

/**
 * Changes where links lead.
 *
 * @param leadTo the new target of a link; null to keep its text, and no link
 */
export function redirectLinks(markdown: Markdown, leadTo: (target: string) => string | null): void {
  markdown.core.ruler.push('redirect-links', ({ tokens }) => {
    for (const { children } of tokens) if (children) redirect(children, leadTo);
  });
}

function redirect(tokens: Token[], leadTo: (target: string) => string | null): void {
  let isDropped = false;
  const kept = tokens.filter((token) => {
    if (token.type === 'link_close' && isDropped) {
      isDropped = false;
      return false;
    }
    const target = token.type === 'link_open' ? token.attrGet('href') : null;
    if (target === null) return true;
    const place = leadTo(target);
    if (place !== null) token.attrSet('href', place);
    isDropped = place === null;
    return !isDropped;
  });
  tokens.splice(0, tokens.length, ...kept);
}

const PICTURE =
  /<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*<img alt="([^"]+)" src="([^"]+)">\s*<\/picture>/g;

/**
 * Makes two images of a picture that has one for dark pages, of which the styles show one. On the forge the system
 * decides which; on the site readers have a switch.
 */
export function followTheSwitch(markdown: Markdown): void {
  markdown.core.ruler.push('follow-the-switch', ({ tokens }) => {
    for (const token of tokens)
      if (token.type === 'html_block')
        token.content = token.content.replace(
          PICTURE,
          '<img class="on-light" alt="$2" src="./$3"><img class="on-dark" alt="$2" src="./$1">',
        );
  });
}
