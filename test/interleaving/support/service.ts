import type { SessionStore } from '../../../src/core/session-store.js';
import { HOUR, MINUTE } from '../../core/support/open-store.js';
import { fails, recorded } from './exchange.js';
import { KEYS } from './history.js';
import type { World } from './world.js';

/** What the app itself can do with the store, beside requests. */
export const DUTIES = [
  'delete',
  'destroyAllForUser',
  'destroyAllExcept',
  'flush',
  'flush',
  'replace',
  'touch',
  'put',
  'putOver',
  'cycle',
  'cycle',
  'rotateToken',
  'rotateToken',
  'list',
] as const;
export type Duty = (typeof DUTIES)[number];

const PLACES = ['place-1', 'place-2', 'place-3'];

/** An admin's tool on one replica. */
export class Service {
  constructor(private readonly world: World) {}

  async perform(replica: number, duty: Duty, chance: number): Promise<void> {
    const { world } = this;
    const store = world.store(replica);
    const { stored } = world.storage;
    const ids = [...stored.keys()];
    const id = ids[chance % Math.max(1, ids.length)] ?? 'place-1';
    const [place, other] = [PLACES[chance % 3] as string, PLACES[(chance + 1) % 3] as string];
    const now = world.clock.now();
    const acts: Record<Duty, () => Promise<unknown>> = {
      delete: () => this.#ends([id], () => store.delete(id)),
      destroyAllForUser: () => this.#ends(this.#idsOf('ada'), () => store.destroyAllForUser('ada')),
      destroyAllExcept: () =>
        this.#ends(
          this.#idsOf('ada').filter((one) => one !== id),
          () => store.destroyAllExcept('ada', id),
        ),
      flush: () => this.#flush(store, id, KEYS[chance % KEYS.length] as string),
      replace: () => {
        const data = { [KEYS[chance % KEYS.length] as string]: world.newValue() };
        return recorded(world, id, { kind: 'replace', data }, () => store.flush(id, data, now, now + HOUR));
      },
      touch: async () => {
        const isThere = await store.touch(id, now, now + (chance % 400) * MINUTE);
        if (!isThere && stored.has(id) && !world.rules.ended.has(id))
          world.scheduler.fail(`${id} could not be touched`);
      },
      put: () => this.#put(store, place, null),
      putOver: () => this.#put(store, id, stored.get(id)?.userId ?? null, chance % 3 > 0),
      cycle: () => this.#cycle(store, place, other),
      rotateToken: () => this.#rotate(store, place),
      list: async () => {
        const known = this.#idsOf('ada').filter((one) => !world.rules.ended.has(one));
        const over = [...world.rules.ended].filter((one) => !world.keyed.has(one));
        const found = new Set((await store.listForUser('ada')).map((one) => one.id));
        const missing = known.find(
          (one) => !found.has(one) && stored.has(one) && !world.rules.ended.has(one),
        );
        if (missing !== undefined) world.scheduler.fail(`${missing} is not listed`);
        const back = over.find((one) => found.has(one));
        if (back !== undefined) world.scheduler.fail(`${back} is listed after its end`);
      },
    };
    await fails(world, null, acts[duty]);
  }

  #idsOf(userId: string): string[] {
    return [...this.world.storage.stored.values()].filter((row) => row.userId === userId).map(({ id }) => id);
  }

  async #ends(ids: readonly string[], call: () => Promise<unknown>): Promise<void> {
    await call();
    const { storage, keyed, scheduler } = this.world;
    const left = ids.find((id) => storage.stored.has(id) && !keyed.has(id));
    if (left !== undefined) scheduler.fail(`${left} is there after it was ended`);
  }

  #flush(store: SessionStore, id: string, key: string): Promise<void> {
    const { world } = this;
    const [value, now] = [world.newValue(), world.clock.now()];
    return recorded(world, id, { kind: 'set', key, value }, async () => {
      const isStored = await store.flush(id, { [key]: value }, now, now + HOUR, {});
      if (!isStored && world.storage.stored.has(id) && !world.rules.ended.has(id)) {
        world.scheduler.fail(`${id} could not be flushed`);
      }
      return isStored;
    });
  }

  /** Over a session with a token only when `sessions` are meant too. */
  async #put(store: SessionStore, id: string, userId: string | null, sessions = false): Promise<void> {
    const { world } = this;
    world.keyed.add(id);
    if (sessions) world.meant.add(id);
    const data = { a: world.newValue() };
    const record = await store.put(id, { userId, data }, '1h', { sessions });
    if (record.data['a'] !== data.a) world.scheduler.fail(`what was put at ${id} is not what was stored`);
  }

  async #cycle(store: SessionStore, from: string, to: string): Promise<void> {
    const { world } = this;
    for (const id of [from, to]) world.keyed.add(id);
    const before = world.storage.stored.get(from);
    const data = { a: world.newValue() };
    const record = await store.cycle(from, to, { userId: null, data }, '1h');
    if (
      before &&
      record.createdAt.getTime() === before.createdAt &&
      +record.absoluteExpiresAt > before.absoluteExpiresAt
    ) {
      world.scheduler.fail(`the absolute expiry grew from ${from} to ${to}`);
    }
  }

  /** A session of the service's own, whose token nobody else holds. */
  async #rotate(store: SessionStore, name: string): Promise<void> {
    const { world } = this;
    const own = world.owned.get(name);
    if (own === undefined || world.rules.ended.has(own.id)) {
      const { session, token } = await store.create({}, null);
      world.owned.set(name, { id: session.id, hash: token.hash });
      return;
    }
    const { hash } = own;
    const token = await store.rotateToken(own.id);
    world.retired.add(hash);
    own.hash = token.hash;
    const found = await store.readByToken(token);
    if (
      !found &&
      world.storage.stored.get(own.id)?.tokenHash === token.hash &&
      !world.rules.ended.has(own.id)
    ) {
      world.scheduler.fail(`a new token of ${own.id} leads nowhere`);
    }
  }
}
