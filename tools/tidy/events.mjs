// A published event is a fact in the past, and each version ever written has its golden file.
import ts from 'typescript';

const DEFINITIONS = /^libs\/contracts\/src\/.*(?<!\.spec|\.spec-kit)\.ts$/;
const FACT = /^[a-z][a-z_-]*\.([a-z][a-z_-]*)$/;
const IRREGULAR = new Set(('begun bought broken brought built chosen cut done drawn driven fallen found frozen given gone held hidden kept known '
  + 'laid led left lent lost made met overdrawn paid put read reset run sent set shut sold spent split sunk taken thrown told undone unpaid '
  + 'withdrawn withheld won written').split(' '));

/** `finalized`, `marked_uncollectible`: one of the words is a past participle. */
const isPast = (fact) => fact.split(/[_-]/).some((word) => (word.endsWith('ed') && word.length > 3) || IRREGULAR.has(word));

const property = (object, name) => object.properties.find((member) => ts.isPropertyAssignment(member) && member.name.getText() === name)?.initializer;
const textOf = (node) => (node && ts.isStringLiteralLike(node) ? node.text : undefined);
const numberOf = (node) => (node && ts.isNumericLiteral(node) ? Number(node.text) : undefined);

/** The object literals given to `defineEvent` in a file. */
function definitionsIn(path, text) {
  const found = [];
  const visit = (node) => {
    const argument = ts.isCallExpression(node) && node.expression.getText() === 'defineEvent' ? node.arguments[0] : undefined;
    if (argument && ts.isObjectLiteralExpression(argument)) found.push(argument);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

function versionsOf(definition) {
  const history = property(definition, 'history');
  const older = history && ts.isArrayLiteralExpression(history) ? history.elements.filter(ts.isObjectLiteralExpression) : [];
  return [...older.map((version) => numberOf(property(version, 'version'))), numberOf(property(definition, 'version')) ?? 1];
}

export function events(repository) {
  return repository.matching(DEFINITIONS).flatMap((path) => definitionsIn(path, repository.text(path)).flatMap((definition) => {
    const [topic, fact] = [textOf(property(definition, 'topic')), textOf(property(definition, 'fact'))];
    if (!topic || !fact) return [`${path}: an event whose topic and fact are not written out`];
    const happened = FACT.exec(fact)?.[1];
    if (!happened) return [`${path}: ${fact} is not <entity>.<fact>`];
    const faults = isPast(happened) ? [] : [`${path}: ${fact} is not in the past participle`];
    const types = versionsOf(definition).map((version) => `dev.valueverse.${topic.split('.')[0]}.${fact}.v${version}`);
    return [...faults, ...types.filter((type) => !repository.has(`libs/contracts/golden/${type}.json`)).map((type) => `${path}: ${type} has no golden file`)];
  }));
}
