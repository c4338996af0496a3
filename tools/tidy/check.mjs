import { events } from './events.mjs';
import { links, machines, names, readmes, rows, words } from './rules.mjs';
import { sizes } from './sizes.mjs';

export const rules = { rows, readmes, names, words, links, events, machines, sizes };

/** Every fault of a repository, rule by rule. */
export const check = (repository) => Object.entries(rules).flatMap(([name, rule]) => rule(repository).map((fault) => `${name}: ${fault}`));
