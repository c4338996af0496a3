/** Stands between the texts of a column; no name holds it, and JSON writes it as an escape. In SQL: `string_to_array($1, E'\\x01')`. */
const SEPARATOR = '\u0001';

/**
 * Many texts as one parameter. The driver would write a list as an array literal, which costs both sides several times as much as the texts themselves.
 * There is at least one text, and none is empty or holds the separator: `RangeError`, because a column would then be of another length.
 */
export const textColumn = (texts: readonly string[]): string => {
  if (texts.length === 0 || texts.some((text) => text === '' || text.includes(SEPARATOR))) throw new RangeError('a text that a column cannot hold');
  return texts.join(SEPARATOR);
};
