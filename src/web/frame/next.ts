/** Pages that a login may lead back to; none of them does anything by being opened. */
const PAGES = /^\/(dashboard|invite|device|approve|connect)(\/[A-Za-z0-9_-]+){0,3}$/;

/** Where to go after signing in: a path of one of our own pages, as it was asked for; anything else is ignored. */
export const nextPage = (asked: string | null | undefined): string | undefined =>
  asked !== null && asked !== undefined && PAGES.test(asked) ? asked : undefined;
