/**
 * How a spec loads its modules. Jest gives each file a world of its own and reads everything anew in it; two seconds of each
 * file went to Nest, TypeORM and OpenTelemetry. Here a package is loaded by Node, once in a worker, as it is in the service;
 * the code of this repository is read anew for each file, so that files do not meet in it.
 */
const { createRequire } = require('node:module');
const { compileFunction } = require('node:vm');
const { default: Runtime } = require('jest-runtime');

const OWN = /^(?:\.{1,2}(?:\/|$)|\/|file:|@valueverse\/|@jest\/globals$)/u;

module.exports = class PackagesOnce extends Runtime {
  constructor(...parameters) {
    super(...parameters);
    // In the realm of the packages: what they throw is an Error here too.
    const { executor } = this;
    executor.compile = (source, filename) => compileFunction(source, executor.injectedModuleParameters, { filename });
  }

  requireModuleOrMock(from, name) {
    return OWN.test(name) || from.includes('/node_modules/') ? super.requireModuleOrMock(from, name) : createRequire(from)(name);
  }
};
