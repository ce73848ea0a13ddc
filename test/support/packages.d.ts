declare module 'connect-flash' {
  import type { RequestHandler } from 'express';
  export default function flash(options?: { unsafe?: boolean }): RequestHandler;
}

declare module 'express-session' {
  import type { RequestHandler } from 'express';
  export default function session(options: {
    secret: string;
    resave: boolean;
    saveUninitialized: boolean;
    store?: object;
  }): RequestHandler;
}

declare module 'connect-pg-simple' {
  interface PgStore {
    close(): Promise<void>;
  }
  export default function connect(
    session: unknown,
  ): new (options: { conObject: object; createTableIfMissing: boolean }) => PgStore;
}

declare module 'compression' {
  import type { RequestHandler } from 'express';
  export default function compression(options: { threshold: number }): RequestHandler;
}
