// What the browser tests share. `begin` reads a task {chromium, base, password, …} from standard input; whatever is wrong is told on standard output, one line
// each, or else what was done as one JSON line.
const fs = require("fs");
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const task = JSON.parse(fs.readFileSync(0, "utf8"));
const wrong = [];
const done = { looked: 0 };
const check = (is, what) => is || wrong.push(what);

async function newPage(browser) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const isStatus = (text) => text.startsWith("Failed to load resource: the server responded with");
  page.on("console", (message) => message.type() === "error" && !isStatus(message.text()) && wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
  await page.setViewport({ width: 1280, height: 900 });
  return page;
}

// Latin words that a page in Chinese may have: names of products, formats and standards, encodings, keys, and the codes and names that people gave (here: the tests).
const LATIN = new Set([
  "fieldworkd", "SMS", "AAPOR", "RR", "COOP", "REF", "CON", "XLSForm", "TOML", "CEL", "Excel", "Word", "WPS", "CSV", "XLSX", "PNG", "JPEG", "WebP", "SVG", "ZIP", "PDF", "JSON", "HTML", "MB", "kB", "KB", "Triple-S", "Flow", "Results", "UTF", "LE", "GB", "GBK", "Big", "Enter", "Webhooks", "Standard", "webhook-id", "LibreOffice", "SPSS", "DDI", "Parquet",
  "qian", "li", "wu", "zhao", "zheng", "sun", "simulator", "scoring", "invitation", "reminder", "first", "last", "interim", "test", "QH-CLINIC", "QH", "S", "SHDQYXGS", "AAA",
]);

// What is seen or read aloud on a Chinese page in Latin letters, outside of what says to be in another language. A run with a digit or a sign of an address is a code; {placeholders} are written as they are typed.
async function latin(page) {
  return page.evaluate((known) => {
    if (!document.documentElement.lang.startsWith("zh")) return [];
    const isForeign = (node) => { const holder = node.closest("[lang]"); return holder && !holder.lang.startsWith("zh"); };
    const found = [];
    const add = (text, element) => {
      for (const run of text.replace(/\{[^}]*\}|English|Português|Español|Français|Deutsch/g, " ").match(/[A-Za-z0-9_./:@+?=&-]+/g) || []) {
        // The end of a file's name that is in Chinese.
        if (/^\.[a-z]{2,5}$/.test(run)) continue;
        const word = run.replace(/^[-.]+|[-.]+$/g, "");
        if (word.length > 1 && !/[0-9_./:@]/.test(word) && !known.includes(word)) found.push(`${word} (${element.tagName}: ${text.trim().slice(0, 60)})`);
      }
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!element.closest("script, style, textarea, pre, code, samp") && !isForeign(element)) add(node.textContent, element);
    }
    for (const name of ["aria-label", "title", "placeholder", "alt"]) {
      for (const element of document.querySelectorAll(`[${name}]`)) if (!isForeign(element)) add(element.getAttribute(name), element);
    }
    add(document.title, document.body);
    return [...new Set(found)];
  }, [...LATIN]);
}

// The pictures of the handbook, by the pages that are looked at.
const HANDBOOK = {
  "home": "home", "list": "list", "list-columns": "list-columns", "application-draft": "application-draft", "editor-item": "questionnaire-editor", "draft": "draft", "launch": "launch",
  "campaign": "campaign", "inbox": "inbox", "supervision": "supervision", "deliveries": "deliveries", "call-questions": "interviewer", "applicant-list": "applicant",
};

// Takes a picture for the handbook: `tests/run pictures`.
async function picture(page, name) {
  if (!process.env.FIELDWORKD_TEST_HANDBOOK) return;
  await page.setViewport({ width: name === "respondent" ? 390 : 1180, height: name === "respondent" ? 760 : 820, deviceScaleFactor: 1 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.evaluate(() => { if (!location.hash) window.scrollTo(0, 0); });
  await page.screenshot({ path: `${process.env.FIELDWORKD_TEST_HANDBOOK}/${name}.webp`, type: "webp", quality: 55 });
}

async function look(page, name) {
  if (HANDBOOK[name]) await picture(page, HANDBOOK[name]);
  for (const word of await latin(page)) check(false, `${name}: a Chinese page says ${word}`);
  for (const width of task.widths || [320, 768, 1280]) {
    for (const scheme of ["light", "dark"]) {
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      check(wide <= 0, `${name} ${width}px: is ${wide} px too wide`);
      // The page's policy lets no other script in; this one comes by the debugger.
      await page.evaluate(axe);
      const result = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const violation of result.violations) {
        wrong.push(`${name} ${width}px ${scheme}: ${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.html).join(" | ")}`);
      }
      if (process.env.FIELDWORKD_TEST_PICTURES) {
        await page.screenshot({ path: `${process.env.FIELDWORKD_TEST_PICTURES}/${name}-${width}-${scheme}.png`, fullPage: true });
      }
      done.looked += 1;
    }
  }
  await page.setViewport({ width: 1280, height: 900 });
}

const text = (page) => page.evaluate(() => document.querySelector("main").innerText);
const press = (page, selector) => Promise.all([page.waitForNavigation(), page.$eval(selector, (button) => button.click())]);

async function signIn(page, name, password) {
  await page.goto(`${task.base}/staff/sign-in`);
  await page.type("#name", name);
  await page.type("#password", password);
  await press(page, "main form button");
}

// Runs a play in a browser, and tells.
async function run(play) {
  const browser = await puppeteer.launch({ executablePath: task.chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"], headless: true });
  try {
    await play(browser);
  } catch (error) {
    wrong.push(`broke off: ${error.stack || error}`);
  } finally {
    await browser.close();
  }
  process.stdout.write(wrong.map((line) => `${line}\n`).join("") + JSON.stringify(done) + "\n");
}

module.exports = { picture, task, wrong, done, check, newPage, look, text, press, signIn, run };
