import { join } from 'node:path';
import { checkNames } from './checks.js';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { allMessages, messagesListed, messagesOf } from './messages.js';

/** What the sources put into messages, or between programs, and nobody sees alone. */
const PARTS = [
  'the server has ended it',
  'Sessions that other processes end are found each `live.recheck`',
  'a Date, or milliseconds since the Unix epoch',
  "Make one with: node -e \"console.log(require('crypto').randomBytes(32).toString('base64url'))\"",
  "Take the other middleware out of the app (docs/from-express-session.md), or `mount: 'middleware'` out of the options if each is to keep its own",
  'The usual cause is a variable such as process.env.DATABASE_URL that is not set, or is read before the .env file is loaded: return `dataSource` from the factory of SessionModule.forRootAsync() with ConfigService then',
  'GraphQL without an HTTP request',
  'a key that would change a prototype',
  'a payload sealed by the key …',
  'a payload stored without encryption',
  'a string, an integer or a bigint',
  'after the response had begun',
  'beside another one, which is answered',
  'beside the factory of `forRootAsync`, as an instance, a class or a provider, which may have a factory of its own',
  'change the token of a session',
  'import SessionModule.forRoot() once, in the root module; or, where a test replaces SessionGuard, load one there',
  "import SessionModule.forRoot() once, in the root module; or, if the resolver above this field has @SkipSession(), let guards run for fields: GraphQLModule.forRoot({ fieldResolverEnhancers: ['guards'] })",
  'in what the factory of `forRootAsync` returns',
  'nested more than … levels deep',
  'record the use of a session',
  'the `next` of the page before',
  "true, 'on', 'true', '1', or false, 'off', 'false', '0', '', null",
  '`secure: true`, and a `domain` or another `path`',
  "`secure: true`, `path: '/'` and no `domain`",
  // What the parts of the library tell each other: users cannot cause it, or do not get to see it.
  'Not a database with a pool: …',
  'Not a driver for SQLite: …',
  'given up by nest-sessions',
  'nest-sessions gate of a prepared response',
];

describe('docs/troubleshooting.md', () => {
  const listed = messagesListed(Document.read(join(ROOT, 'docs/troubleshooting.md')));

  it('lists every message of the sources by its text, and none that they do not have', () => {
    const messages = allMessages().filter((message) => !PARTS.includes(message));
    expect(messages.length).toBeGreaterThan(100);
    expect(checkNames('Troubleshooting', listed, messages)).toEqual([]);
  });

  it('leaves out only what there is', () => {
    const messages = allMessages();
    expect(PARTS.filter((part) => !messages.includes(part))).toEqual([]);
  });
});

describe('messages of sources', () => {
  it('are what errors are made with and what is logged, up to the first full stop', () => {
    expect(
      messagesOf(`
        throw new SessionOptionsError(\`\\\`key\\\`: expected 32 bytes, got \${length}. \${hint()}\`);
        throw new TypeError('No way: ' + reason);
        this.#logger?.warn(\`\${name}: opened again\`);
        this.#logger?.warn(\`\${name}\${more}: closed again\`);
      `),
    ).toEqual(['`key`: expected 32 bytes, got …', 'No way: …', '…: opened again', '…: closed again']);
  });

  it('are sentences wherever else they stand', () => {
    expect(messagesOf("const WARNING = 'The table is not ' + 'where it was. ' + 'Look for it';")).toEqual([
      'The table is not where it was',
    ]);
  });

  it('are no statements of SQL, no scripts of Redis, no codes, no names of modules, and nothing that a maker makes one of', () => {
    expect(
      messagesOf(`
        import { a } from 'some module with a long name';
        type Text = 'one word and four others';
        throw new AuthenticationRequiredException('authentication_required');
        throw expected('ttl', 'a duration that is not too long', got);
        run('SELECT id FROM sessions WHERE id IN ()');
        script("local id = ARGV[1] if redis.call('EXISTS', id) == 1 then return 1 end");
      `),
    ).toEqual([]);
  });

  it('are listed in tables of messages, with or without code in them', () => {
    const page = new Document(
      '# A\n\n| Message | B |\n| --- | --- |\n| `one` | `x` |\n| `` `two` is `three` `` | |\n\n| Option | B |\n| --- | --- |\n| `no` | |\n',
    );
    expect(messagesListed(page)).toEqual(['one', '`two` is `three`']);
  });
});
