import type { SessionRow } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import { lockIcon } from '../html/icons.js';
import { partsOfPayload } from './payload-parts.js';

export interface RowPanelInput {
  readonly row: SessionRow | null;
  /** What the storage is called. */
  readonly storage: string;
}

/** Properties of a row, in the order in which they say something. The rest of them is bookkeeping. */
const SHOWN = [
  'id',
  'userId',
  'tokenHash',
  'supersededHash',
  'tokenGeneration',
  'createdAt',
  'lastActiveAt',
  'expiresAt',
  'version',
] as const satisfies readonly (keyof SessionRow)[];

/** The same session as storage has it: what it looks up and sorts by in plain text, everything else sealed. */
export function rowPanel({ row, storage }: RowPanelInput): Html {
  return html`<section class="card view vault" aria-labelledby="row-title">
    <h2 id="row-title">${lockIcon} What lies in ${storage}</h2>
    ${row === null ? html`<p class="vault-empty">No row</p>` : columns(row)}
  </section>`;
}

function columns(row: SessionRow): Html {
  return html`<dl class="members">
    <div class="payload">
      <dt>payload</dt>
      <dd>
        ${partsOfPayload(row.payload).map(
          ({ name, hex }) =>
            html`<span class="part part-${name.replace(' ', '-')}" title="${name}">${hex}</span>`,
        )}
        <span class="legend">
          ${partsOfPayload(row.payload).map(
            ({ name, hex }) =>
              html`<span class="part part-${name.replace(' ', '-')}"
                >${name} <small>${hex.length / 2}</small></span
              >`,
          )}
          <span>bytes, AES-256-GCM</span>
        </span>
      </dd>
    </div>
    ${SHOWN.map(
      (property) =>
        html`<div>
          <dt>${columnName(property)}</dt>
          <dd class="${row[property] === null && 'code-quiet'}">${String(row[property] ?? 'NULL')}</dd>
        </div>`,
    )}
  </dl>`;
}

/** The column of a property: `tokenHash` is in `token_hash`. */
function columnName(property: string): string {
  return property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
