import { OncePerSession } from '../../core/once-per-session.js';
import type { ResolvedSession } from '../../core/token-resolver.js';
import type { SessionManager } from '../../core/session-manager.js';
import type { ClientRequest } from '../platform/platform-request.js';
import { parseAgent, userAgentOf } from '../platform/user-agent.js';

/*
 * The option `onClientChange`: a session that is used by another browser or platform than it was signed in with.
 */

/** What happens when a session turns up with another browser or platform than it was signed in with. */
export type ClientChangeReaction = 'ignore' | 'notify' | 'revoke';

/**
 * Names of platforms that count as one: a device may use both in turn: a phone or tablet that asks for the desktop
 * version of a site calls itself a desktop.
 */
const PLATFORMS: Readonly<Record<string, string>> = {
  iOS: 'Apple',
  macOS: 'Apple',
  Android: 'Linux',
  Linux: 'Linux',
};

/** Families kept in memory, by user agent. Made-up user agents must not fill the memory. */
const MAX_FAMILIES = 1000;

/** Notices that a session is used by another kind of client than at sign-in. */
export class ClientChange {
  readonly #families = new Map<string, string>();
  readonly #reported = new OncePerSession();
  readonly reaction: Exclude<ClientChangeReaction, 'ignore'>;

  constructor(reaction: Exclude<ClientChangeReaction, 'ignore'>) {
    this.reaction = reaction;
  }

  /** Family and platform of the client, without any version: `Chrome on Apple`. Without a user agent: `no user agent`. */
  familyOf(request: ClientRequest): string {
    const userAgent = userAgentOf(request);
    let family = this.#families.get(userAgent);
    if (family === undefined) {
      family = describeFamily(userAgent);
      if (this.#families.size >= MAX_FAMILIES) this.#families.clear();
      this.#families.set(userAgent, family);
    }
    return family;
  }

  /** Whether the client is of another kind than at the sign-in. `false` without a sign-in, or where it was not watched. */
  detects(request: ClientRequest, { row, content }: ResolvedSession): boolean {
    const known = content.marks?.client;
    return row.userId !== null && known !== undefined && known !== this.familyOf(request);
  }

  /**
   * Reports the other kind of client, or ends the session; whether the session may still be served. Reported once for each
   * session and process, whichever client it was.
   */
  async react(sessions: SessionManager, request: ClientRequest, { row }: ResolvedSession): Promise<boolean> {
    const isNotify = this.reaction === 'notify';
    const isFirst = isNotify
      ? this.#reported.isFirst(row.id)
      : (await sessions.end({ ids: [row.id] }, 'client-change', request.ip)).ended.length > 0;
    if (isFirst) sessions.reportClientChange(row, request.ip);
    return isNotify;
  }
}

function describeFamily(userAgent: string): string {
  if (userAgent === '') return 'no user agent';
  // Programs and apps name themselves first, before any version.
  const [product = 'unknown'] = /^[^/\s(]+/.exec(userAgent) ?? [];
  const { browser, os: platform } = parseAgent(userAgent);
  const family = product === 'Mozilla' && browser !== '' ? browser : product;
  return platform === '' ? family : `${family} on ${PLATFORMS[platform] ?? platform}`;
}
