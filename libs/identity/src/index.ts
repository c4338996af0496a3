export * from './identity.context';
