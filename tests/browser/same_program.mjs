// Tells of pairs of JavaScript files whether they are the same program, comments apart: node same_program.mjs ONE
// OTHER [ONE OTHER]…

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import ts from "typescript";

const { JSDoc, FirstJSDocNode, LastJSDocNode } = ts.SyntaxKind;
const isDocumentation = (kind) => kind === JSDoc || (kind >= FirstJSDocNode && kind <= LastJSDocNode);

/** The tree of the program in `file` as text. */
function program(file) {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  if (source.parseDiagnostics.length) return `${file} is no program`;
  const shown = (node) => {
    const parts = node.getChildren(source).filter(({ kind }) => !isDocumentation(kind));
    return `${node.kind}(${parts.length ? parts.map(shown).join("") : node.getText(source)})`;
  };
  return shown(source);
}

const files = process.argv.slice(2);
for (let i = 0; i < files.length; i += 2)
  console.log(program(files[i]) === program(files[i + 1]) ? "same" : "different", basename(files[i]));
