/** What a host offers for injection beside its classes: `@Inject(CLOCK) clock: Clock`. */
export const LOGGER = Symbol('Logger');
export const CLOCK = Symbol('Clock');
export const IDS = Symbol('IdSource');
export const CACHE = Symbol('Cache');
export const RATE_LIMITER = Symbol('RateLimiter');
