// Planted: the body is read first, and the signature looked at over what was written of it again.
const Module = require('node:module');
const load = Module._load;
Module._load = (request, ...rest) => {
  const loaded = load(request, ...rest);
  if (request !== './signature' || loaded.signatureFault === undefined) return loaded;
  return { ...loaded, signatureFault: (header, body, ...more) => loaded.signatureFault(header, Buffer.from(JSON.stringify(JSON.parse(body.toString()))), ...more) };
};
