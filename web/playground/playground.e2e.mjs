// Runs the story of the playground in Chromium, tab by tab, as a person would:
//
//   node playground.e2e.mjs <base-url> <output-dir>
//
// with SECRET_KEY (sk_…) of the server in the environment, and CHROMIUM if the
// browser is not /usr/bin/chromium. The server must be in development mode: the
// code of the story is read from /dev/outbox. Screenshots go to <output-dir>.
// The browser resolves no name but localhost, so that a request to any other
// host fails, and any console message or foreign request fails the run.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [baseURL, outputFolder] = process.argv.slice(2);
const secretKey = process.env.SECRET_KEY;
assert.ok(baseURL && outputFolder && secretKey, "usage: SECRET_KEY=sk_… node playground.e2e.mjs <base-url> <output-dir>");
mkdirSync(outputFolder, { recursive: true });

const story = JSON.parse(readFileSync(new URL("story.json", import.meta.url), "utf8"));

function operationName(id) {
  const step = story.steps.find((candidate) => candidate.id === id);
  return /^(?:query|mutation|subscription) (\w+)/m.exec(step.query.join("\n"))[1];
}

async function eventually(condition, description) {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`waited in vain for ${await description()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

class Person {
  constructor(page) {
    this.page = page;
    this.problems = [];
    page.on("console", (message) => this.problems.push(`console ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => this.problems.push(`page error: ${error}`));
    page.on("requestfailed", (request) => {
      // graphql-sse cancels a stream that has said "complete", unless the server was faster to end it.
      const cancelled = request.failure()?.errorText === "net::ERR_ABORTED";
      if (cancelled && request.headers().accept?.includes("text/event-stream")) return;
      this.problems.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
    });
    page.on("request", (request) => this.checkOrigin(request.url()));
    page.on("websocket", (socket) => this.checkOrigin(socket.url().replace(/^ws/, "http")));
    page.on("dialog", (dialog) => dialog.accept());
  }

  checkOrigin(address) {
    const { protocol, origin } = new URL(address);
    if (protocol.startsWith("http") && origin !== new URL(baseURL).origin) this.problems.push(`foreign: ${address}`);
  }

  async open() {
    await this.page.goto(new URL("/playground", baseURL).href);
    await this.page.locator(".graphiql-query-editor .CodeMirror-code").waitFor();
    await this.page.locator(".graphiql-doc-explorer, .graphiql-sidebar button[aria-label='Show Documentation Explorer']").first().waitFor();
  }

  // Clicking the tab in front again would make GraphiQL forget an edit of the
  // last tenth of a second.
  async choose(id) {
    const title = { hasText: new RegExp(`^${operationName(id)}$`) };
    const inFront = await this.page.locator(".graphiql-tab-active .graphiql-tab-button", title).count();
    if (!inFront) await this.page.locator(".graphiql-tab-button", title).click();
    await this.page.locator(".graphiql-query-editor .CodeMirror-code", { hasText: operationName(id) }).waitFor();
  }

  // Runs the operation of a tab, and waits until the response holds a text.
  async run(id, expected) {
    await this.choose(id);
    await this.page.locator(".graphiql-query-editor .CodeMirror-lines").click();
    await this.page.keyboard.press("Control+Enter");
    await this.seeResponse(expected);
  }

  async seeResponse(expected) {
    const text = () => this.page.evaluate(() => document.querySelector(".result-window .CodeMirror").CodeMirror.getValue());
    await eventually(
      async () => (await text()).includes(expected),
      async () => `${expected} in the response:\n${await text()}`,
    );
  }

  // Replaces what stands in the variables or the headers of the current tab.
  async fill(tool, value) {
    const button = this.page.locator(`.graphiql-editor-tools button[data-name='${tool}']`);
    await button.click();
    const editor = this.page.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror-lines");
    await editor.click();
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.insertText(JSON.stringify(value, null, 2));
  }

  async variables() {
    return JSON.parse(
      await this.page.evaluate(() => document.querySelector(".graphiql-editor-tool .CodeMirror").CodeMirror.getValue()),
    );
  }

  async seeStream(status) {
    await this.page.locator(".streams .stream-trail", { hasText: new RegExp(`${status}$`) }).waitFor();
  }

  async screenshot(name) {
    await this.page.mouse.move(0, 0);
    for (const colorScheme of ["light", "dark"]) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.screenshot({ path: join(outputFolder, `${name}-${colorScheme}.png`) });
    }
  }

  assertNothingWrong() {
    assert.deepEqual(this.problems, []);
  }
}

async function codeFromOutbox(address) {
  const url = new URL("/dev/outbox", baseURL);
  url.search = new URLSearchParams({ format: "json", to: address });
  const [newest] = await (await fetch(url)).json();
  assert.ok(newest, `no message to ${address} in the outbox`);
  return newest.code;
}

// From the first tab to a session, watched by a subscription in another tab.
async function signUp(person, transport) {
  await person.page.getByLabel(transport === "sse" ? "SSE" : "WebSocket").check();
  await person.run("public-settings", '"progressiveSignUp"');
  await person.choose("start");
  const { input } = await person.variables();
  await person.run("start", '"EMAIL_ADDRESS"');
  await person.run("watch", '"MISSING_REQUIREMENTS"');
  await person.screenshot(`${transport}-watching`);

  await person.choose("check");
  const variables = await person.variables();
  variables.input.proof.emailCode = await codeFromOutbox(input.emailAddress);
  await person.fill("variables", variables);
  await person.run("check", '"COMPLETE"');
  await person.seeStream("COMPLETE");
  await person.screenshot(`${transport}-checked`);

  await person.choose("watch");
  await person.seeResponse('"COMPLETE"');
  await person.screenshot(`${transport}-complete`);
  await person.run("session-token", '"eyJ');
}

async function administer(person) {
  await person.run("start-another", '"MISSING_REQUIREMENTS"');
  await person.run("settings", '"errors"'); // the story's key is only a place to paste one
  await person.page.locator("button[data-name='headers']").click();
  await person.screenshot("refused");
  for (const [id, expected] of [
    ["settings", '"progressiveSignUp": true'],
    ["before-change", '"reason": "ONE_OF_REQUIRED"'],
    ["toggle", '"progressiveSignUp": false'],
  ]) {
    await person.choose(id);
    await person.fill("headers", { Authorization: `Bearer ${secretKey}` });
    await person.run(id, expected);
    await person.screenshot(id);
  }
  await person.page.locator("button[data-name='variables']").click();
  await person.run("lists", '"requiredFields"');
  for (const [id, expected] of [
    ["compare", '"setting": "progressiveSignUp"'],
    ["funnel", '"completed": 1'],
  ]) {
    await person.choose(id);
    await person.fill("headers", { Authorization: `Bearer ${secretKey}` });
    await person.run(id, expected);
    await person.screenshot(id);
  }
  await person.page.locator("button[data-name='variables']").click();
  await person.choose("toggle");
  await person.fill("variables", { on: true });
  await person.run("toggle", '"progressiveSignUp": true');

  await person.choose("invite");
  await person.fill("headers", { Authorization: `Bearer ${secretKey}` });
  await person.run("invite", '"ticket": "tkt_');
  await person.screenshot("invited");
  await person.run("come-back", '"userId": "user_');
  await person.screenshot("came-back");
  await person.run("session-token", '"eyJ');
}

// A subscription is ended by the button at its line, and by GraphiQL's own.
async function stopWatching(person) {
  const lines = person.page.locator(".streams .stream");
  await person.page.getByRole("button", { name: "Dismiss" }).click();
  await person.run("watch", '"MISSING_REQUIREMENTS"');
  await person.choose("lists");
  await person.page.locator(".stream-running").waitFor();
  await person.page.getByRole("button", { name: "Stop", exact: true }).click();
  await lines.waitFor({ state: "detached" });

  await person.run("watch", '"MISSING_REQUIREMENTS"');
  await person.page.getByRole("button", { name: "Stop query (Ctrl-Enter)" }).click();
  await person.page.getByRole("button", { name: "Execute query (Ctrl-Enter)" }).waitFor();
  await person.choose("lists");
  assert.equal(await lines.count(), 0);
}

// Everything else that a person can open, for its console messages and looks.
async function lookAround(person) {
  const { page } = person;
  await person.choose("toggle");
  const button = (name) => page.getByRole("button", { name, exact: true });

  await button("Show Documentation Explorer").click();
  await page.locator(".graphiql-doc-explorer").getByText("Mutation", { exact: true }).click();
  await page.locator(".graphiql-doc-explorer-search input").click();
  await page.keyboard.type("signUpCre");
  await page.getByRole("option").first().waitFor();
  await person.screenshot("documentation");
  await page.getByRole("option").first().click();
  await button("Hide Documentation Explorer").click();

  await button("Show History").click();
  await person.screenshot("history");

  await button("Show GraphiQL Explorer").click();
  await page.locator(".doc-explorer-contents [data-field-name='updatedBy']").click();
  await page.locator(".graphiql-query-editor .CodeMirror-code", { hasText: "updatedBy" }).waitFor();
  await person.screenshot("explorer");
  await button("Hide GraphiQL Explorer").click();

  await page.locator(".graphiql-query-editor .CodeMirror-line", { hasText: "updatedBy" }).click();
  await page.keyboard.press("Control+Space");
  await page.locator(".CodeMirror-hints").waitFor();
  await person.screenshot("completion");
  await page.keyboard.press("Escape");

  await button("Open short keys dialog").click();
  await person.screenshot("short-keys");
  await page.keyboard.press("Escape");
  await button("Open settings dialog").click();
  for (const theme of ["Dark", "Light"]) {
    await button(theme).click();
    await person.screenshot(`settings-theme-${theme.toLowerCase()}`);
  }
  await button("System").click();
  await page.keyboard.press("Escape");
  await page.locator(".graphiql-dialog").waitFor({ state: "detached" });
}

// The next visit: the tabs are still there, the address is new, the key is gone.
async function comeBack(person) {
  await person.choose("start");
  const { input: before } = await person.variables();
  const inFront = story.steps.findIndex((step) => step.id === "start");
  const storedTabs = () => person.page.evaluate(() => JSON.parse(localStorage.getItem("graphiql:tabState")));
  await eventually(
    async () => (await storedTabs()).activeTabIndex === inFront,
    () => "the change of tab to be stored",
  );
  const stored = await person.page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(stored.includes(operationName("toggle")), "the history was not stored");
  assert.ok(!stored.includes(secretKey), "the secret key was stored");
  await person.open();
  assert.equal(await person.page.locator(".graphiql-tab-active .graphiql-tab-button").textContent(), operationName("start"));
  const { input: after } = await person.variables();
  assert.notEqual(after.emailAddress, before.emailAddress);
  await person.page.getByRole("button", { name: "Reset story" }).click();
  await person.page.waitForLoadState();
  await person.choose("start");
  assert.equal(await person.page.locator(".graphiql-tab").count(), story.steps.length);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
  ],
});
try {
  for (const transport of ["websocket", "sse"]) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 860 } });
    const person = new Person(await context.newPage());
    await person.open();
    await person.screenshot(`${transport}-opened`);
    await signUp(person, transport);
    if (transport === "websocket") {
      await administer(person);
      await stopWatching(person);
      await lookAround(person);
      await comeBack(person);
    }
    person.assertNothingWrong();
    await context.close();
    console.log(`playground: the story ran over ${transport}`);
  }
} finally {
  await browser.close();
}
