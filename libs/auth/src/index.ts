export * from './auth.module';
export * from './caller';
export * from './guard/auth.guard';
export * from './guard/authenticator';
export * from './keys/credential-table';
export * from './keys/key-text';
export * from './links/reports.controller';
export * from './links/service-client';
