import type { FastifyInstance } from 'fastify';

const UNUSUAL = new Set(['TRACE', 'SEARCH', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'MKCALENDAR', 'QUERY']);

/** Remembers every route as it is added, to tell a wrong method from a wrong path. */
export function methodsByPath(instance: FastifyInstance): (path: string) => readonly string[] {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  instance.addHook('onRoute', ({ url, method }) => {
    const methods = [method].flat().filter((one) => !UNUSUAL.has(one));
    // A route that takes everything is a fallback and says nothing about the path.
    if (url !== '*' && url !== '/*') routes.push({ pattern: patternOf(url), methods });
  });
  return (path) => [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))];
}

function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+';
    return part.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  });
  return new RegExp(`^${parts.join('/')}$`);
}
