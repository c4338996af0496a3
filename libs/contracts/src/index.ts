export * from './schema';
export * from './event-definition';
