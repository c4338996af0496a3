export * from './installation';
export * from './remote';
export * from './run-service';
export * from './service-config';
export * from './services';
export * from './web';
