import { Text, TextList } from './fields';
import { validationPipe } from './validation';

class Named {
  @Text() name!: string;
  @TextList() names!: string[];
}
const DECOMPOSED = 'cafe\u0301';
const COMPOSED = 'caf\u00e9';

test('texts and lists of texts are in normal form C: a name that two clients write in two ways is one', async () => {
  const read = await validationPipe().transform({ name: DECOMPOSED, names: [DECOMPOSED, COMPOSED] }, { type: 'body', metatype: Named }) as Named;
  expect([read.name, read.names]).toEqual([COMPOSED, [COMPOSED, COMPOSED]]);
});
test.each([['a text', 'cafe'], ['a list with a number', ['a', 5]]])('%s is no list of texts', async (_, names) => {
  await expect(validationPipe().transform({ name: 'a', names }, { type: 'body', metatype: Named })).rejects.toMatchObject({ status: 400 });
});
