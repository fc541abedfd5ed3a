// Lint rules of the SDK: what is wrong, not how it looks; Prettier holds the looks.
import js from '@eslint/js';
import globals from 'globals';

export default [
  {
    ignores: [
      'node_modules/',
      'bench/',
      '**/dist/',
      '**/*.d.ts',
      'tests/types.ts',
      'packages/tests/consumer/',
      '**/*.svelte.js',
    ],
  },
  js.configs.recommended,
  {
    files: ['src/**/*.js'],
    languageOptions: { globals: { ...globals.browser, VERSION: 'readonly', rec: 'readonly' } },
    rules: { 'no-console': ['error', { allow: ['warn', 'error'] }], 'no-var': 'error', 'prefer-const': 'error' },
  },
  {
    // Bundled: `require` evaluates a module of the tracker when a page calls.
    files: ['packages/*/src/**/*.js'],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: { 'no-var': 'error', 'prefer-const': 'error' },
  },
  {
    files: [
      '*.mjs',
      'tests/**/*.mjs',
      'packages/**/*.mjs',
      'tag-manager/**/*.mjs',
      'api-client/**/*.mjs',
      'frameworks/**/*.mjs',
    ],
    // Tests pass functions to a page, so both worlds are theirs.
    languageOptions: {
      globals: {
        ...globals.node,
        ...globals.browser,
        rec: 'readonly',
        axe: 'readonly',
        gtag: 'readonly',
        dataLayer: 'readonly',
      },
    },
    rules: { eqeqeq: ['error', 'smart'], 'no-var': 'error', 'prefer-const': 'error' },
  },
];
