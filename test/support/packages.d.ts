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
  }): RequestHandler;
}

declare module 'compression' {
  import type { RequestHandler } from 'express';
  export default function compression(options: { threshold: number }): RequestHandler;
}
