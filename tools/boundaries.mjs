// Who may import whom: the one table behind the lint rule, the tags in each package.json and the checks of tidy.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** For each layer the other layers that it may import. */
export const layers = {
  kernel: [],
  contracts: ['kernel'],
  rating: ['kernel'],
  'event-log': ['kernel', 'contracts'],
  platform: ['kernel', 'contracts', 'event-log'],
  auth: ['kernel', 'contracts', 'event-log', 'platform'],
  context: ['kernel', 'contracts', 'rating', 'event-log', 'platform', 'auth'],
  testing: ['kernel', 'contracts', 'rating', 'event-log', 'platform', 'auth'],
  // The only layer that sees all contexts: it makes services of them.
  hosting: ['kernel', 'contracts', 'rating', 'event-log', 'platform', 'auth', 'context'],
  app: ['kernel', 'contracts', 'rating', 'event-log', 'platform', 'auth', 'context', 'hosting'],
};

/** Each folder's layer; a context also has its name, and never imports another one. */
export const projects = {
  'libs/kernel': { layer: 'kernel' },
  'libs/contracts': { layer: 'contracts' },
  'libs/rating': { layer: 'rating' },
  'libs/event-log': { layer: 'event-log' },
  'libs/platform': { layer: 'platform' },
  'libs/auth': { layer: 'auth' },
  'libs/testing': { layer: 'testing' },
  'libs/usage': { layer: 'context', context: 'usage' },
  'libs/billing': { layer: 'context', context: 'billing' },
  'libs/payments': { layer: 'context', context: 'payments' },
  'libs/notifications': { layer: 'context', context: 'notifications' },
  'libs/identity': { layer: 'context', context: 'identity' },
  'libs/hosting': { layer: 'hosting' },
  'apps/usage-service': { layer: 'app' },
  'apps/billing-engine': { layer: 'app' },
  'apps/payment-service': { layer: 'app' },
  'apps/notification-service': { layer: 'app' },
  'apps/valueverse': { layer: 'app' },
  'apps/console': { layer: 'app' },
  'apps/sandbox-provider': { layer: 'app' },
  'apps/scenarios': { layer: 'app' },
};

/** The folders of the contexts. */
export const contexts = Object.entries(projects).filter(([, { context }]) => context).map(([folder, { context }]) => ({ folder, context }));

const tagsOf = ({ layer, context }) => [`layer:${layer}`, ...(context ? [`context:${context}`] : [])];

/** The table in the words of the rule `@nx/enforce-module-boundaries`. */
export const depConstraints = [
  // Specs sit in the projects that they test, and tags cannot tell them apart: another rule keeps `testing` in specs.
  ...Object.entries(layers).map(([layer, below]) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: [layer, ...below, 'testing'].filter((name) => name !== 'app').map((name) => `layer:${name}`),
  })),
  ...contexts.map(({ context }) => ({
    sourceTag: `context:${context}`,
    notDependOnLibsWithTags: contexts.filter((other) => other.context !== context).map((other) => `context:${other.context}`),
  })),
];

/** What does not agree with the table: folders without a row, tags that say something else. Empty when all is well. */
export function disagreements(root) {
  const faults = [];
  for (const group of ['libs', 'apps']) {
    for (const name of readdirSync(join(root, group))) {
      const folder = `${group}/${name}`;
      const manifest = join(root, folder, 'package.json');
      if (!existsSync(manifest)) continue;
      const row = projects[folder];
      if (!row) {
        faults.push(`${folder} has no row in tools/boundaries.mjs`);
        continue;
      }
      const tags = JSON.parse(readFileSync(manifest, 'utf8')).nx?.tags ?? [];
      const wanted = tagsOf(row);
      if (tags.join() !== wanted.join()) faults.push(`${folder}/package.json has the tags [${tags}], the table says [${wanted}]`);
    }
  }
  return faults;
}
