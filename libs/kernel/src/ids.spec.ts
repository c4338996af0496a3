import { derivedId, isId, newIdFrom, typeId } from './ids';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

test('a UUID is written as the TypeID specification writes it', () => {
  // Vectors of the specification, valid.yml: nil, some, ten, max, uuidv7.
  expect(typeId('prefix', bytesOf('00000000000000000000000000000000'))).toBe('prefix_00000000000000000000000000');
  expect(typeId('prefix', bytesOf('0000000000000000000000000000000a'))).toBe('prefix_0000000000000000000000000a');
  expect(typeId('prefix', bytesOf('00000000000000000000000000000020'))).toBe('prefix_00000000000000000000000010');
  expect(typeId('prefix', bytesOf('ffffffffffffffffffffffffffffffff'))).toBe('prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz');
  expect(typeId('prefix', bytesOf('0188bac74afa78aabc3bbd1eef28d881'))).toBe('prefix_01h2xcejqtf2nbrexx3vqjhp41');
});

test('new ids sort by the time at which they were made', () => {
  const random = new Uint8Array(10).fill(0xff);
  const [early, late] = [newIdFrom('inv', 1_700_158_546_680, random), newIdFrom('inv', 1_700_158_546_681, new Uint8Array(10))];
  expect(early < late).toBe(true);
  expect(isId('inv', early)).toBe(true);
});

test('a derived id is a function of its parts', () => {
  const id = derivedId('inv', 'sub_1', '2024-01');
  expect(derivedId('inv', 'sub_1', '2024-01')).toBe(id);
  expect(new Set([id, derivedId('inv', 'sub_12', '024-01'), derivedId('inv', 'sub_1'), derivedId('inv', '2024-01', 'sub_1')]).size).toBe(4);
  // A value that must never change, because stored ids depend on it.
  expect(id).toBe('inv_5999a78ksjgewaqsf3760vvstc');
  expect(() => derivedId('inv', 'a\u0000b')).toThrow(RangeError);
  expect(() => derivedId('inv')).toThrow(RangeError);
});

test('what is not an id of the kind is told', () => {
  expect(isId('inv', 'inv_01h2xcejqtf2nbrexx3vqjhp41')).toBe(true);
  for (const text of ['acc_01h2xcejqtf2nbrexx3vqjhp41', 'inv_81h2xcejqtf2nbrexx3vqjhp41', 'inv_01h2xcejqtf2nbrexx3vqjhp4', 'inv_01H2XCEJQTF2NBREXX3VQJHP41', 'inv_01h2xcejqtf2nbrexx3vqjhpil', 'inv', '', 7, null])
    expect(isId('inv', text)).toBe(false);
  for (const prefix of ['', 'Inv', '_inv', 'inv_', 'i-v', 'i'.repeat(64)]) expect(() => typeId(prefix, new Uint8Array(16))).toThrow(RangeError);
  expect(() => newIdFrom('inv', -1, new Uint8Array(10))).toThrow(RangeError);
  expect(() => newIdFrom('inv', 1, new Uint8Array(9))).toThrow(RangeError);
});
