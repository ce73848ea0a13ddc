import { withIgnored, withSessionKey } from '../../src/schematics/env-file.js';

describe('withSessionKey', () => {
  it.each([
    [null, 'SESSION_KEY=new\n'],
    ['', 'SESSION_KEY=new\n'],
    ['PORT=3000\n', 'PORT=3000\nSESSION_KEY=new\n'],
    ['PORT=3000', 'PORT=3000\nSESSION_KEY=new\n'],
    ['# SESSION_KEY=old\n', '# SESSION_KEY=old\nSESSION_KEY=new\n'],
    ['OTHER_SESSION_KEY=old\n', 'OTHER_SESSION_KEY=old\nSESSION_KEY=new\n'],
  ])('makes of %j: %j', (text, expected) => {
    expect(withSessionKey(text, 'new')).toBe(expected);
  });

  it.each(['SESSION_KEY=old\nPORT=3000\n', 'export SESSION_KEY = old', '  SESSION_KEY=\n'])(
    'leaves a key that is there as it is: %j',
    (text) => {
      expect(withSessionKey(text, 'new')).toBe(text);
    },
  );
});

describe('withIgnored', () => {
  it.each([
    [null, '.env\na.sqlite*\n'],
    ['dist\n', 'dist\n.env\na.sqlite*\n'],
    ['dist\r\n/.env\r\n', 'dist\r\n/.env\r\na.sqlite*\n'],
    ['.env.local', '.env.local\n.env\na.sqlite*\n'],
    ['a.sqlite*\n.env\n', 'a.sqlite*\n.env\n'],
  ])('makes of %j: %j', (text, expected) => {
    expect(withIgnored(text, ['.env', 'a.sqlite*'])).toBe(expected);
  });
});
