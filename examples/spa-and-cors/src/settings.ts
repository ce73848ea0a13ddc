export const PORT = Number(process.env.PORT ?? 3000);
export const FRONT_END_PORT = Number(process.env.FRONT_END_PORT ?? 5173);

/** Where the pages come from: another origin than the API's, because the port is another. */
export const FRONT_END = `http://localhost:${FRONT_END_PORT}`;
/** What the pages call. */
export const API = `http://localhost:${PORT}`;
