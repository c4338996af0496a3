/** One run over all projects: every spec under libs and apps, compiled by swc like the code that is shipped. */
const swc = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
  sourceMaps: 'inline',
  module: { type: 'commonjs' },
};
module.exports = {
  testEnvironment: '<rootDir>/tools/jest/environment.cjs',
  runtime: '<rootDir>/tools/jest/runtime.cjs',
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/tools'],
  testMatch: ['**/src/**/*.spec.ts', '**/src/**/*.scenario.ts', '<rootDir>/tools/**/*.spec.ts'],
  transform: { '^.+\\.(t|j|mj)s$': ['@swc/jest', swc] },
  // Nest 12 and a few others are ES modules: they are compiled too, the compilers themselves are not.
  transformIgnorePatterns: ['/node_modules/@swc/', '/node_modules/typescript'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  moduleNameMapper: { '^@valueverse/([a-z-]+)$': '<rootDir>/libs/$1/src/index.ts' },
  globalSetup: '<rootDir>/libs/testing/src/run/setup.ts',
  globalTeardown: '<rootDir>/libs/testing/src/run/teardown.ts',
  testSequencer: '<rootDir>/tools/jest/order.cjs',
  coverageProvider: 'v8',
  maxWorkers: 2,
  // A busy machine may be many times slower than an idle one; at night properties run many times longer.
  testTimeout: process.env.VV_NIGHTLY === '1' ? 600_000 : 30_000,
};
