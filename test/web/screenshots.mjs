// Pictures of every mail, as docs/screenshots/mails/<purpose>.<language>-<scheme>-<width>.png:
//
//   node screenshots.mjs
//
// What is drawn is internal/deliver/testdata/messages/*.html, which a test of that
// package holds to what is sent. It fails where a mail is wider than the screen.
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './chromium.mjs';
import { smaller } from './png.mjs';

const root = join(import.meta.dirname, '..', '..');
const mails = join(root, 'internal', 'deliver', 'testdata', 'messages');
const pictures = join(root, 'docs', 'screenshots', 'mails');

await rm(pictures, { recursive: true, force: true });
await mkdir(pictures, { recursive: true });
const browser = await launch();
let tooWide = 0;
try {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [320, 600]) {
      const context = await browser.newContext({ colorScheme, javaScriptEnabled: false, viewport: { width, height: 480 } });
      const page = await context.newPage();
      for (const file of (await readdir(mails)).filter((name) => name.endsWith('.html')).sort()) {
        const name = `${file.slice(0, -'.html'.length)}-${colorScheme}-${width}`;
        await page.setContent(await readFile(join(mails, file), 'utf8'));
        const needed = await page.locator('html').evaluate((html) => html.scrollWidth);
        if (needed > width) {
          console.error(`${name} is ${needed} pixels wide`);
          tooWide++;
        }
        await writeFile(join(pictures, `${name}.png`), smaller(await page.screenshot({ fullPage: true })));
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
}
process.exitCode = tooWide > 0 ? 1 : 0;
