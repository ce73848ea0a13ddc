/** Markup that is safe to send: made by `html`, which escapes everything that is not `Html` itself. */
export class Html {
  constructor(private readonly markup: string) {}

  toString(): string {
    return this.markup;
  }
}

/** What may stand in a template. `null` and `false` leave nothing, so that `${isOn && html`…`}` reads well. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/** Markup from a template. Attributes with a value in them need quotes around it. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(render)));
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(render).join('');
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
