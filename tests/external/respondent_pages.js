// Looks at pages in a real Chromium: axe-core (WCAG 2.2 AA), in light and dark, 320 px wide and on a desktop, with the page's own policy and weight;
// then fills an interview in by keyboard with JavaScript off. Reads {chromium, pages: [{name, url, submit}], interview} from standard input, writes what
// is wrong to standard output, one line each, and then «looked at N pages».
const fs = require("fs");
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const task = JSON.parse(fs.readFileSync(0, "utf8"));

const wrong = [];
let looks = 0;

async function look(browser, { name, url, submit, logo, enlarged }, width, scheme) {
  const page = await browser.newPage();
  const at = `${name} ${width}px ${scheme}`;
  const requests = [];
  let weight = 0;
  const client = await page.createCDPSession();
  await client.send("Network.enable");
  client.on("Network.loadingFinished", (event) => (weight += event.encodedDataLength));
  page.on("request", (request) => requests.push(request.url()));
  // The status of the page itself (404, 422) is as it should be; whatever else it asked for is found below.
  const isStatus = (text) => text.startsWith("Failed to load resource: the server responded with");
  page.on("console", (message) => message.type() === "error" && !isStatus(message.text()) && wrong.push(`${at}: console: ${message.text()}`));
  await page.setViewport({ width, height: 800 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url);
  if (submit) {
    await Promise.all([page.waitForNavigation(), page.$eval('form[action*="/answers"] button', (button) => button.click())]);
  } else {
    const others = requests.filter((request) => request !== url && !(logo && new URL(request).pathname.startsWith(logo)));
    if (others.length > 0) wrong.push(`${at}: asks for more than the page: ${others.join(" ")}`);
    // The logo of the tests is not compressed.
    if (weight > (logo ? 22 : 14) * 1024) wrong.push(`${at}: weighs ${weight} bytes`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) wrong.push(`${at}: is ${wide} px too wide`);
  if (logo && !(await page.evaluate(() => [...document.images].every((image) => image.naturalWidth > 0)))) wrong.push(`${at}: the logo is not shown`);
  if (enlarged) {
    // The letters of WeChat's largest setting.
    await page.evaluate(() => (document.documentElement.style.fontSize = "160%"));
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wider > 0) wrong.push(`${at}: with large letters is ${wider} px too wide`);
    await page.evaluate(() => (document.documentElement.style.fontSize = ""));
  }
  // A scale runs with the page: from right to left in Arabic.
  const runsWithPage = await page.evaluate(() => {
    const [first, second] = [...document.querySelectorAll(".scale label")].map((label) => label.getBoundingClientRect().left);
    return second === undefined || (document.documentElement.dir === "rtl") === (first > second);
  });
  if (!runsWithPage) wrong.push(`${at}: the scale runs against the page`);
  await page.evaluate(axe);
  const result = await page.evaluate(() =>
    axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  for (const violation of result.violations) {
    wrong.push(`${at}: ${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.html).join(" | ")}`);
  }
  // A picture for the handbook: `tests/run pictures`.
  if (process.env.FIELDWORKD_TEST_HANDBOOK && at.replace(/[^a-z0-9]+/g, "-") === "questions-zh-page-1-320px-light") {
    await page.setViewport({ width: 390, height: 760 });
    await page.screenshot({ path: `${process.env.FIELDWORKD_TEST_HANDBOOK}/respondent.webp`, type: "webp", quality: 55 });
  }
  // To look at them oneself: FIELDWORKD_TEST_PICTURES=DIR tests/run respondent_pages
  if (process.env.FIELDWORKD_TEST_PICTURES) {
    await page.screenshot({ path: `${process.env.FIELDWORKD_TEST_PICTURES}/${at.replace(/[^a-z0-9]+/g, "-")}.png`, fullPage: true });
  }
  looks += 1;
  await page.close();
}

// Tabs through each page, chooses with blank and arrows, and sends it with Enter, until nothing more is asked. In a private window without cookies, on
// a telephone in another zone.
async function byKeyboard(browser, url) {
  const privateWindow = await browser.createBrowserContext();
  const page = await privateWindow.newPage();
  const client = await page.createCDPSession();
  await client.send("Emulation.setDocumentCookieDisabled", { disabled: true });
  await page.emulateTimezone("America/Los_Angeles");
  await page.setJavaScriptEnabled(false);
  await page.goto(url);
  for (let pages = 0; pages < 12; pages += 1) {
    const last = await page.evaluate(() => document.querySelector("button")?.form.action ?? "");
    const isWelcome = last.includes("/begin");
    if (!isWelcome && !last.includes("/answers")) break;
    const done = new Set();
    for (let tabs = 0; tabs < 80; tabs += 1) {
      await page.keyboard.press("Tab");
      const focus = await page.evaluate(() => {
        const element = document.activeElement;
        const target = element.type === "radio" || element.type === "checkbox" ? element.closest("label") : element;
        const style = getComputedStyle(target);
        return { tag: element.tagName, type: element.type, name: element.name, action: element.form && element.form.action,
          isSeen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 };
      });
      if (!focus.isSeen) wrong.push(`keyboard: the focus is not seen on ${focus.tag} ${focus.name}`);
      const leadsElsewhere = focus.name === "in-language" || focus.name === "back-to";
      if (focus.tag === "BUTTON" && !leadsElsewhere && (isWelcome || focus.action.includes("/answers"))) break;
      if (focus.type === "radio" && !done.has(focus.name)) await page.keyboard.press("Space");
      if (focus.type === "checkbox" && !done.has(focus.name)) await page.keyboard.press("Space");
      if (focus.type === "text") await page.keyboard.type("12");
      if (focus.tag === "SELECT") {
        const place = [...done].filter((name) => name.includes(".")).length + 1;
        for (let n = 0; n < place; n += 1) await page.keyboard.press("ArrowDown");
      }
      done.add(focus.name);
    }
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  }
  const text = await page.evaluate(() => document.body.innerText);
  if (!text.includes("Thank you!")) wrong.push(`keyboard: the interview did not end: ${text.slice(0, 300)}`);
  const { cookies } = await client.send("Network.getAllCookies");
  if (cookies.length > 0) wrong.push(`cookies are set: ${cookies.map((cookie) => cookie.name).join(" ")}`);
  await privateWindow.close();
}

(async () => {
  const browser = await puppeteer.launch({ executablePath: task.chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"], headless: true });
  try {
    for (const shown of task.pages) {
      for (const width of [320, 1280]) {
        for (const scheme of ["light", "dark"]) await look(browser, shown, width, scheme);
      }
    }
    if (task.interview) await byKeyboard(browser, task.interview);
  } finally {
    await browser.close();
  }
  wrong.forEach((line) => console.log(line));
  console.log(`looked at ${looks} pages`);
})();
