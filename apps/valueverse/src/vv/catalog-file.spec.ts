import { appliedLines, readCatalogText, writeCatalogText, type Applied } from './catalog-file';

const TEXT = `version: 1
# What we sell.
plans:
  - key: payg
    name: Pay as you go
    charges:
      - key: platform
        price: { model: flat, amount: 49.00 }
      - { key: calls,
          "a/b": 1 }
`;
const placesOf = (text: string, ...pointers: string[]): string[] => {
  const read = readCatalogText(text);
  if ('faults' in read) throw new Error('is well formed');
  return pointers.map((pointer) => { const { line, column } = read.placeOf({ pointer, code: 'code', detail: 'detail' }); return `${line}:${column}`; });
};

test('a fault has the place of the field that it names', () => {
  expect(placesOf(TEXT, '/version', '/plans', '/plans/0', '/plans/0/name', '/plans/0/charges/0/price/amount', '/plans/0/charges/1', '/plans/0/charges/1/a~1b')).toEqual(['1:1', '3:1', '4:5', '5:5', '8:31', '9:9', '10:11']);
});
test('what is not there has the place of what is around it', () => {
  expect(placesOf(TEXT, '', '/addOns', '/plans/0/currency', '/plans/0/charges/0/price/tiers/0/upTo', '/plans/7/key', '/plans/0/charges/x')).toEqual(['1:1', '1:1', '4:5', '8:9', '3:1', '6:5']);
});
test('a file is read as it is written: texts stay texts, numbers numbers', () => {
  const read = readCatalogText('{ "version": 1, amount: "49.00", count: 2, date: 2026-01-01, none: null, same: &a [x], again: *a }');
  expect(read).toMatchObject({ value: { version: 1, amount: '49.00', count: 2, date: '2026-01-01', none: null, same: ['x'], again: ['x'] } });
  expect(readCatalogText('')).toMatchObject({ value: {} });
});
test('what is no YAML is told by line and column', () => {
  const faultsOf = (text: string): unknown => (readCatalogText(text) as { faults: readonly { line: number; column: number }[] }).faults.map(({ line, column }) => `${line}:${column}`);
  expect(faultsOf('version: 1\nplans: [\n')).toEqual(['3:1']);
  expect(faultsOf('version: 1\nversion: 1\n')).toEqual(['2:1']);
  expect(faultsOf('version: 1\n---\nversion: 1\n')).toEqual(['2:1']);
});
test('aliases of aliases of aliases do not become a catalogue without end', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]', ...'bcdefgh'.split('').map((name, nth) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[nth]}`).join(', ')}]`)].join('\n');
  const read = readCatalogText(bomb);
  expect('faults' in read ? read.faults.map(({ line, text }) => `${line} ${text}`) : 'read').toEqual(['1 Excessive alias count indicates a resource exhaustion attack']);
});
test('what is written is read again, long lines and all', () => {
  const catalog = { version: 1, plans: [{ key: 'payg', name: 'x '.repeat(200).trim(), amount: '49.00', yes: 'yes', on: 'on', zero: '012', null: 'null', trial: true, days: 14 }] };
  expect(readCatalogText(writeCatalogText(catalog))).toMatchObject({ value: catalog });
});
test('changes are told line by line', () => {
  const none = { added: [], removed: [], changed: [] };
  const applied: Applied = {
    applied: true, onlyHere: [{ kind: 'coupon', key: 'tenth' }],
    changes: [
      { action: 'create', kind: 'product', key: 'p' }, { action: 'change', kind: 'feature', key: 'f', fields: [{ field: '/name', old: 'Old', new: 'New' }] }, { action: 'restore', kind: 'plan', key: 'old' },
      { action: 'add_version', kind: 'plan', key: 'payg', diff: { fields: [{ field: '/trialDays', new: 14 }], charges: { added: [{ key: 'b' }], removed: [{ key: 'c' }], changed: [{ key: 'a', fields: [{ field: '/price/amount', old: '1', new: '2' }] }] }, phases: none } },
    ],
  };
  expect(appliedLines(applied)).toEqual([
    '+ product p', '~ feature f', '    /name: "Old" -> "New"', '^ plan old, restored', '~ plan payg, a new version', '    /trialDays: nothing -> 14', '    + charge b', '    - charge c', '    charge a /price/amount: "1" -> "2"',
    '  coupon tenth is not in the file, and stays', '4 changes applied',
  ]);
  expect(appliedLines({ applied: false, onlyHere: [], changes: [] })).toEqual(['nothing changes']);
  expect(appliedLines({ applied: false, onlyHere: [], changes: applied.changes.slice(0, 1) })).toEqual(['+ product p', '1 change, not applied']);
});
