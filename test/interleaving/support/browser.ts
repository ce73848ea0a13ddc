import { type Answer, type Act, exchange, recorded } from './exchange.js';
import { KEYS, LIST } from './history.js';
import type { World } from './world.js';

/** What a browser can be made to do. */
export const PAGES = [
  'signIn',
  'read',
  'write',
  'write',
  'remove',
  'clear',
  'push',
  'push',
  'rotate',
  'rotate',
  'reauthenticate',
  'logout',
  'logoutOthers',
  'logoutAll',
  'revokeOther',
] as const;
export type Page = (typeof PAGES)[number];

/** A browser with one cookie, whatever the number of its tabs. */
export class Browser {
  cookie: string | null = null;
  /** Requests under way. */
  underWay = 0;
  /** Sessions that a new token without grace is under way for, or never came for. */
  readonly #renewing = new Set<string>();
  #sent = 0;

  constructor(
    private readonly world: World,
    readonly name: string,
    readonly userId: string,
  ) {}

  /** The id of the session that the cookie is for. */
  get sessionId(): string | null {
    return this.cookie?.slice(0, 26) ?? null;
  }

  /** Sends one request and takes what its answer says of the cookie, unless the answer gets lost. */
  async visit(replica: number, page: Page, chance: number): Promise<Answer> {
    const { world, cookie } = this;
    const sent = ++this.#sent;
    const isAlone = this.underWay++ === 0;
    const id = this.sessionId;
    if (page === 'reauthenticate' && id !== null) this.#renewing.add(id);
    const answer = await exchange(world, replica, cookie, this.#act(page, chance));
    const signal = await world.scheduler.gate(`the answer to ${page} comes to ${this.name}`, true);
    this.underWay--;
    if (signal === 'go' && answer.cookie !== undefined) this.cookie = answer.cookie;
    const hasArrived = signal === 'go' && !answer.failed && isAlone && sent === this.#sent;
    if (page === 'reauthenticate' && hasArrived) this.#renewing.delete(id ?? '');
    return answer;
  }

  /** Whether the user may find themselves signed out: a new token without grace did not come alone. */
  mayBeOutside(id: string): boolean {
    return this.#renewing.has(id);
  }

  #act(page: Page, chance: number): Act {
    const { world } = this;
    const { stored } = world.storage;
    const key = KEYS[chance % KEYS.length] as string;
    const value = world.newValue();
    const mine = (): string[] =>
      [...stored.values()].filter((row) => row.userId === this.userId).map(({ id }) => id);
    const ends = async (ids: readonly string[], call: () => Promise<unknown>): Promise<void> => {
      await call();
      for (const id of ids) {
        if (stored.has(id) && !world.keyed.has(id)) world.scheduler.fail(`${id} is there after its ${page}`);
      }
    };
    const acts: Record<Page, Act> = {
      read: async (session) => session.data,
      signIn: async (session) => {
        const before = session.userId === this.userId ? session.id : null;
        await session.authenticate(this.userId);
        const id = session.id ?? '';
        // What ends the user's sessions ends the one that a sign-in comes from: none survives it in another's name.
        if (before !== null && world.successors.get(before) !== id)
          world.scheduler.fail(`the sign-in ${id} does not replace ${before}, which was ended meanwhile`);
        if (!stored.has(id) && !world.rules.ended.has(id))
          world.scheduler.fail(`the sign-in ${id} was not stored`);
      },
      write: (session) => {
        session.data[key] = value;
        return recorded(world, session.id, { kind: 'set', key, value }, () => session.save());
      },
      remove: async (session) => {
        if (!session.remove(key)) return;
        await recorded(world, session.id, { kind: 'set', key, value: undefined }, () => session.save());
      },
      clear: (session) => {
        session.clear();
        return recorded(world, session.id, { kind: 'replace', data: {} }, () => session.save());
      },
      push: (session) =>
        recorded(world, session.id, { kind: 'push', value }, () =>
          session.update((data) => void (data[LIST] = [...((data[LIST] ?? []) as string[]), value])),
        ),
      rotate: (session) => session.rotate(),
      reauthenticate: async (session) => {
        const known = [...world.tokensOf(session.id)];
        await session.reauthenticate();
        for (const hash of known) world.retired.add(hash);
      },
      logout: (session) => ends(session.id === null ? [] : [session.id], () => session.logout()),
      logoutOthers: (session) => {
        const others = session.userId === this.userId ? mine().filter((id) => id !== session.id) : [];
        return ends(others, () => session.logoutOthers());
      },
      logoutAll: (session) => ends(session.userId === this.userId ? mine() : [], () => session.logoutAll()),
      revokeOther: async (session) => {
        const other = (await session.list()).find((each) => !each.current);
        if (other) await ends([other.id], () => session.revoke(other.id));
      },
    };
    return acts[page];
  }
}

/** Somebody with a copy of a cookie, who uses it as its owner would. */
export class Thief extends Browser {
  victim: Browser | null = null;

  steal(victim: Browser, world: World): void {
    if (victim.cookie === null) return;
    this.cookie = victim.cookie;
    this.victim = victim;
    world.excused.add(victim.sessionId ?? '');
  }
}
