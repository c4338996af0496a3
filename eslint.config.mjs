import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';
import { depConstraints } from './tools/boundaries.mjs';
import own from './tools/lint-rules.mjs';

const SPECS = ['**/*.spec.ts', '**/*.spec-kit.ts', '**/*.scenario.ts'];
const PURE = ['libs/*/src/**/domain/**/*.ts', 'libs/kernel/src/**/*.ts', 'libs/rating/src/**/*.ts'];
const SYSTEM_CLOCK = 'libs/platform/src/system-clock.ts';

const random = { selector: "MemberExpression[object.name='Math'][property.name='random']", message: 'Chance is an input: take it from a port.' };
const readsTheClock = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time is an input: take it from the Clock.' },
  { selector: "CallExpression[callee.name='Date']", message: 'Time is an input: take it from the Clock.' },
  { selector: "MemberExpression[object.name='Date'][property.name='now']", message: 'Time is an input: take it from the Clock.' },
  { selector: "MemberExpression[object.name='Temporal'][property.name='Now']", message: 'Time is an input: take it from the Clock.' },
];
const waits = [
  { selector: 'AwaitExpression', message: 'The domain is synchronous.' },
  { selector: ':function[async=true]', message: 'The domain is synchronous.' },
  { selector: 'ForOfStatement[await=true]', message: 'The domain is synchronous.' },
];
const impure = ['Date', 'process', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'crypto', 'performance', 'globalThis']
  .map((name) => ({ name, message: 'The domain is pure: this comes in by a port or in the command.' }));
const testing = { group: ['@valueverse/testing', '**/testing/src/**'], message: 'Test parts are imported by specs only.' };
const outside = { group: ['node:*', '@nestjs/*', 'pg', 'typeorm', 'kafkajs', 'fs', 'crypto', 'path'], message: 'The domain does no I/O.' };

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', '.valueverse/**', 'coverage/**', 'apps/console/**'] },
  {
    files: ['libs/**/*.ts', 'apps/**/*.ts', 'tools/**/*.ts'],
    extends: [tseslint.configs.recommended],
    plugins: { '@nx': nx, valueverse: own },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { enforceBuildableLibDependency: false, allow: [], depConstraints }],
      'no-restricted-syntax': ['error', random],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  {
    files: ['libs/**/*.ts', 'apps/**/*.ts'],
    ignores: [...SPECS, 'libs/testing/**'],
    rules: {
      'valueverse/constant-sql': 'error',
      'no-restricted-imports': ['error', { patterns: [testing] }],
    },
  },
  {
    files: ['libs/**/*.ts'],
    ignores: [...SPECS, SYSTEM_CLOCK],
    rules: { 'no-restricted-syntax': ['error', random, ...readsTheClock] },
  },
  {
    files: PURE,
    ignores: SPECS,
    rules: {
      'no-restricted-syntax': ['error', random, ...readsTheClock, ...waits],
      'no-restricted-globals': ['error', ...impure],
      'no-restricted-imports': ['error', { patterns: [testing, outside] }],
    },
  },
  {
    // Ids are hashes of their parts; hashing is arithmetic, unlike the rest of its module.
    files: ['libs/kernel/src/ids.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: [{ name: 'node:crypto', allowImportNames: ['hash'] }], patterns: [testing] }] },
  },
  {
    // Nest reads the types of constructor parameters at run time, so an import of a class must stay an import.
    files: ['libs/**/*.ts', 'apps/**/*.ts'],
    ignores: PURE,
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  { files: ['apps/**/*.ts'], ignores: SPECS, rules: { 'no-console': 'off' } },
);
