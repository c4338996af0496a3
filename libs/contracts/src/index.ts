export * from './schema';
export * from './event-definition';
export * from './usage';
