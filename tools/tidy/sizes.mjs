// Nothing grows beyond what can be read at once.
import ts from 'typescript';

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;
const SOURCES = /\.(ts|tsx|mts|mjs|cjs)$/;
const EXCEPTED = /(^|\/)(migrations|generated)\/|\.generated\.|\.d\.ts$/;

const isFunction = (node) => ts.isFunctionDeclaration(node) || ts.isFunctionExpression(node) || ts.isArrowFunction(node)
  || ts.isMethodDeclaration(node) || ts.isConstructorDeclaration(node) || ts.isAccessor(node);

/** The function around a group of specs is a heading, not a piece of work: it registers tests and does nothing else. */
const registers = (statement) => ts.isExpressionStatement(statement) && ts.isCallExpression(statement.expression)
  && /^(describe|test|it)\b/.test(statement.expression.expression.getText());
const isGroup = (node) => node.body && ts.isBlock(node.body) && node.body.statements.some(registers);

function longFunctions(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line + 1;
  const faults = [];
  const visit = (node) => {
    if (isFunction(node) && !isGroup(node)) {
      const first = lineOf(node.getStart());
      const length = lineOf(node.getEnd()) - first + 1;
      if (length > FUNCTION_LINES_MAX) faults.push(`${path}:${first}: a function of ${length} lines, ${FUNCTION_LINES_MAX} are the most`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return faults;
}

/** Files up to 400 lines, functions up to 70; what is generated or a migration is excepted. */
export function sizes(repository) {
  return repository.matching(SOURCES).filter((path) => !EXCEPTED.test(path)).flatMap((path) => {
    const text = repository.text(path);
    const length = text.split('\n').length - 1;
    const long = length > FUNCTION_LINES_MAX ? longFunctions(path, text) : [];
    return length > FILE_LINES_MAX ? [`${path}: ${length} lines, ${FILE_LINES_MAX} are the most`, ...long] : long;
  });
}
