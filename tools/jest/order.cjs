// Which spec files are begun first. Where nothing is known of how long they take, as on a fresh clone, Jest goes by their size; scenarios are short texts that start whole
// installations, and one of them that is begun last leaves the other cores idle.
const { default: Sequencer } = require('@jest/test-sequencer');

const isScenario = ({ path }) => path.endsWith('.scenario.ts');

module.exports = class ScenariosFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(isScenario), ...sorted.filter((test) => !isScenario(test))];
  }
};
