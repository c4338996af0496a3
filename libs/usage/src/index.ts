export * from './usage.context';
export * from './schema';
