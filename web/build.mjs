// Makes the third-party files that the playground embeds, from the packages
// pinned in package-lock.json:
//
//   node build.mjs           writes playground/assets
//   node build.mjs --check   fails if playground/assets is not what a build gives
//
// The files are the publishers' own browser bundles, apart from what is taken
// out: pointers to source maps that we do not ship, the fonts in GraphiQL's
// style sheet (most of it, and under licences of their own; page.css names
// system fonts instead), and two habits of the dialogs in GraphiQL's script
// that would write to the console.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const assets = join(here, "playground", "assets");

// A file is called name@version.suffix.gz; the Go package looks for the name.
const bundles = [
  { name: "react", package: "react", file: "umd/react.production.min.js" },
  { name: "react-dom", package: "react-dom", file: "umd/react-dom.production.min.js" },
  { name: "graphiql", package: "graphiql", file: "dist/index.umd.js" },
  { name: "graphiql", package: "graphiql", file: "dist/style.css" },
  { name: "explorer", package: "@graphiql/plugin-explorer", file: "dist/index.umd.js" },
  { name: "explorer", package: "@graphiql/plugin-explorer", file: "dist/style.css" },
  { name: "graphql-sse", package: "graphql-sse", file: "umd/graphql-sse.min.js" },
];

// Packages that come without their licence file, or whose code is in GraphiQL's
// bundle but not installed, and the package of the same repository or the same
// author that has it.
const licenceFoundIn = {
  "@graphiql/plugin-doc-explorer": "graphiql",
  "@graphiql/plugin-explorer": "graphiql",
  "@graphiql/plugin-history": "graphiql",
  "@radix-ui/react-use-escape-keydown": "@radix-ui/primitive",
  "@react-aria/utils": "@react-aria/focus",
  "react-compiler-runtime": "react",
  "react-remove-scroll-bar": "react-remove-scroll",
  "toggle-selection": "copy-to-clipboard",
};

function packageFolder(name) {
  const folder = [
    join(modules, name),
    join(modules, "@graphiql", "plugin-explorer", "node_modules", name),
  ].find((candidate) => existsSync(join(candidate, "package.json")));
  if (!folder) throw new Error(`package ${name} is not installed: run npm ci`);
  return folder;
}

function manifest(name) {
  return JSON.parse(readFileSync(join(packageFolder(name), "package.json"), "utf8"));
}

function withoutSourceMap(text) {
  return text.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, "\n");
}

function withoutFonts(css) {
  return css.replace(/@font-face\s*\{[^}]*\}\s*/g, "");
}

// Dialogs add an inline style that stops the page behind them from scrolling.
// Our Content-Security-Policy refuses it, and our page does not scroll.
function withoutInlineStyles(script) {
  return replaceOnce(
    script,
    'if(!document)return null;var e=document.createElement("style")',
    'return null;var e=document.createElement("style")',
  );
}

// Dialogs warn developers of GraphiQL that they have no description.
function withoutDescriptionWarning(script) {
  return replaceOnce(script, "document.getElementById(t)||console.warn(n)", "document.getElementById(t)");
}

function replaceOnce(text, old, replacement) {
  const parts = text.split(old);
  if (parts.length !== 2) throw new Error(`found ${parts.length - 1} times, want once: ${old}`);
  return parts.join(replacement);
}

function bundleText({ name, package: from, file }) {
  const text = readFileSync(join(packageFolder(from), file), "utf8");
  if (file.endsWith(".css")) return withoutFonts(text);
  const script = withoutSourceMap(text);
  return name === "graphiql" ? withoutDescriptionWarning(withoutInlineStyles(script)) : script;
}

// Everything that GraphiQL's bundle was made of, read from its source map.
function packagesInsideGraphiql() {
  const map = JSON.parse(readFileSync(join(packageFolder("graphiql"), "dist/index.umd.js.map"), "utf8"));
  const names = map.sources.map((source) => {
    const [, outside] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
    if (outside) return outside;
    const [, sibling] = /^\.\.\/\.\.\/([^/]+)\//.exec(source) ?? [];
    return sibling ? sibling.replace(/^graphiql-/, "@graphiql/") : "graphiql";
  });
  return [...new Set(names)];
}

function licenceText(name) {
  const owner = licenceFoundIn[name] ?? name;
  const folder = packageFolder(owner);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`package ${owner} has no licence file`);
  return readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim();
}

function licences() {
  const shipped = bundles.map((bundle) => bundle.package);
  const names = [...new Set([...shipped, ...packagesInsideGraphiql(), "graphiql-explorer"])].sort();
  const namesByText = new Map();
  for (const name of names) {
    const text = licenceText(name);
    namesByText.set(text, [...(namesByText.get(text) ?? []), name]);
  }
  const rule = "=".repeat(72);
  const sections = [...namesByText].map(([text, holders]) => `${rule}\n${holders.join("\n")}\n${rule}\n\n${text}\n`);
  return `The playground ships these libraries, whole or as parts of GraphiQL's bundle.\n\n${sections.join("\n")}`;
}

// The uncompressed content of every asset, by file name.
function build() {
  const files = new Map();
  for (const bundle of bundles) {
    const suffix = bundle.file.endsWith(".css") ? "css" : "js";
    files.set(`${bundle.name}@${manifest(bundle.package).version}.${suffix}.gz`, bundleText(bundle));
  }
  files.set("licenses.txt", licences());
  return files;
}

function readAsset(name) {
  const path = join(assets, name);
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

// What lies in the folder now, in the format of sha256sum.
function checksums(names) {
  const line = (name) => `${createHash("sha256").update(readFileSync(join(assets, name))).digest("hex")}  ${name}\n`;
  return [...names].sort().map(line).join("");
}

// Content is compared uncompressed, here and in the check, because two builds
// of zlib may compress the same text to different bytes.
function write(files) {
  mkdirSync(assets, { recursive: true });
  for (const name of readdirSync(assets)) {
    if (!files.has(name)) rmSync(join(assets, name));
  }
  for (const [name, text] of files) {
    if (readAsset(name) === text) continue;
    writeFileSync(join(assets, name), name.endsWith(".gz") ? gzipSync(text, { level: 9 }) : text);
  }
  writeFileSync(join(assets, "SHA256SUMS"), checksums(files.keys()));
}

function drift(files) {
  const expected = new Set([...files.keys(), "SHA256SUMS"]);
  const found = existsSync(assets) ? readdirSync(assets) : [];
  const problems = found.filter((name) => !expected.has(name)).map((name) => `${name}: not made by the build`);
  for (const [name, text] of files) {
    const present = readAsset(name);
    if (present === undefined) problems.push(`${name}: missing`);
    else if (present !== text) problems.push(`${name}: differs from the build`);
  }
  if (problems.length === 0 && readAsset("SHA256SUMS") !== checksums(files.keys())) {
    problems.push("SHA256SUMS: does not match the files beside it");
  }
  return problems;
}

if (process.argv.includes("--check")) {
  const problems = drift(build());
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error("web/playground/assets is out of date: run npm run build in web/");
    process.exit(1);
  }
  console.log("web/playground/assets is up to date");
} else {
  write(build());
}
