declare module 'connect-flash' {
  import type { RequestHandler } from 'express';
  export default function flash(options?: { unsafe?: boolean }): RequestHandler;
}
