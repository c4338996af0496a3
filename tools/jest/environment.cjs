/** Where a spec runs: in the worker's own realm and not in one made for the file, because packages are loaded once for all of them (runtime.cjs). Time is an input here, so there are no timers of Jest's own. */
const { ModuleMocker } = require('jest-mock');

const STACK_FRAMES = 100;

module.exports = class WorkersOwnRealm {
  constructor() {
    this.global = globalThis;
    this.moduleMocker = new ModuleMocker(globalThis);
    this.fakeTimers = null;
    this.fakeTimersModern = null;
    Error.stackTraceLimit = STACK_FRAMES;
  }

  setup() {
    this.variables = { ...process.env };
  }

  /** What a file has put into the environment of its process is not there for the next one. */
  teardown() {
    for (const name of Object.keys(process.env)) if (!(name in this.variables)) delete process.env[name];
    Object.assign(process.env, this.variables);
  }

  getVmContext() {
    return globalThis;
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }
};
