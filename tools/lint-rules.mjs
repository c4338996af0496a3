// Rules of our own. SQL text is constant: what varies goes through parameters, names through `ident()`.

const SQL_METHODS = new Set(['query', 'where', 'andWhere', 'orWhere', 'orderBy', 'addOrderBy', 'groupBy', 'having']);
const NAME_HELPERS = new Set(['ident', 'escapeIdentifier']);
const LOOK_UPS_MAX = 20;

const nameOf = (callee) => (callee.type === 'MemberExpression' ? callee.property.name : callee.name);

/** Whether the text of this expression is the same on every run, names that went through the helper apart. */
function isConstant(node, scopeOf, depth = 0) {
  if (depth > LOOK_UPS_MAX) return false;
  const constant = (other) => isConstant(other, scopeOf, depth + 1);
  switch (node.type) {
    case 'Literal': return true;
    case 'TemplateLiteral': return node.expressions.every(constant);
    case 'BinaryExpression': return constant(node.left) && constant(node.right);
    case 'TSAsExpression': case 'TSNonNullExpression': case 'TSSatisfiesExpression': return constant(node.expression);
    case 'ConditionalExpression': return constant(node.consequent) && constant(node.alternate);
    case 'LogicalExpression': return constant(node.left) && constant(node.right);
    case 'CallExpression': return NAME_HELPERS.has(nameOf(node.callee)) || isConstantCall(node, constant);
    case 'ArrayExpression': return node.elements.every((element) => element && constant(element));
    case 'Identifier': return isConstantName(node, scopeOf, constant);
    case 'MemberExpression': return isNamedConstant(node);
    default: return false;
  }
}

/** `[...].join(' ')`, `'a'.concat('b')` over constant pieces; `.map()` makes such pieces when its function does. */
function isConstantCall({ callee, arguments: values }, constant) {
  if (callee.type !== 'MemberExpression') return false;
  if (callee.property.name === 'map') return values[0]?.type === 'ArrowFunctionExpression' && values[0].expression && constant(values[0].body);
  return ['join', 'concat', 'trim'].includes(callee.property.name) && constant(callee.object) && values.every(constant);
}

/** The second parameter of the function given to `.map()`: a number. */
const isMapIndex = ({ type, node, name }) => type === 'Parameter' && node.params[1] === name
  && node.parent.type === 'CallExpression' && node.parent.callee.property?.name === 'map';

/** `SQL.find`, `TABLES.events`: a member of something that is written in capitals is a table of constants. */
const isNamedConstant = ({ object }) => object.type === 'Identifier' && /^[A-Z][A-Z0-9_]*$/.test(object.name);

function isConstantName(node, scopeOf, constant) {
  for (let scope = scopeOf(node); scope; scope = scope.upper) {
    const variable = scope.set.get(node.name);
    if (!variable) continue;
    const [definition] = variable.defs;
    if (!definition) return false;
    if (isMapIndex(definition)) return true;
    if (definition.type === 'ImportBinding') return /^[A-Z][A-Z0-9_]*$/.test(node.name);
    if (definition.type !== 'Variable' || definition.parent.kind !== 'const' || !definition.node.init) return false;
    return definition.node.id.type === 'Identifier' && constant(definition.node.init);
  }
  return false;
}

/** An interpolation, or a text put together, in what becomes SQL. A bare name is left to its own definition. */
function builtText(node, scopeOf) {
  if (node.type === 'ObjectExpression') {
    const text = node.properties.find((property) => property.type === 'Property' && property.key.name === 'text');
    return text ? builtText(text.value, scopeOf) : undefined;
  }
  const built = ['TemplateLiteral', 'BinaryExpression', 'CallExpression', 'ConditionalExpression'].includes(node.type);
  if (built && !isConstant(node, scopeOf)) return node.type === 'CallExpression' && !isConcatenation(node) ? undefined : node;
  if (node.type !== 'Identifier') return undefined;
  const init = constInitOf(node, scopeOf);
  return init && init !== node && builtText(init, scopeOf) ? node : undefined;
}

const isConcatenation = ({ callee }) => callee.type === 'MemberExpression' && ['join', 'concat', 'replace'].includes(callee.property.name);

function constInitOf(node, scopeOf) {
  for (let scope = scopeOf(node); scope; scope = scope.upper) {
    const definition = scope.set.get(node.name)?.defs[0];
    if (definition) return definition.type === 'Variable' && definition.node.id.type === 'Identifier' ? definition.node.init : undefined;
  }
  return undefined;
}

const constantSql = {
  meta: { type: 'problem', schema: [], messages: { built: 'SQL text is constant: give values as parameters and names through ident()' } },
  create(context) {
    const scopeOf = (node) => context.sourceCode.getScope(node);
    return {
      CallExpression(node) {
        const [first] = node.arguments;
        if (!first || node.callee.type !== 'MemberExpression' || !SQL_METHODS.has(nameOf(node.callee))) return;
        const fault = builtText(first, scopeOf);
        if (fault) context.report({ node: fault, messageId: 'built' });
      },
    };
  },
};

export default { meta: { name: 'valueverse' }, rules: { 'constant-sql': constantSql } };
