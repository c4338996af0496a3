const ALWAYS: Readonly<Record<string, string>> = {
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
};
const FOR_DATA = "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
/** The page of the API documentation brings its own scripts; its style sheets are partly in the page. */
const FOR_DOCS = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** What every response carries, errors included. A handler may say otherwise for its own. */
export const securityHeaders = (path: string): Record<string, string> => ({
  ...ALWAYS,
  'Content-Security-Policy': path === '/docs' || path.startsWith('/docs/') ? FOR_DOCS : FOR_DATA,
});
