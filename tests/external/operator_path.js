// The operator's way from signing in over the demo's dirty list to a launched campaign, with the mouse alone or with the keyboard alone; nothing is clicked or set by script.
// Reads {chromium, base, password, list, by}: `mouse` or `keyboard`.
const { task, done, check, newPage, text, run } = require("./browser.js");

const MAX_TABS = 300;

run(async (browser) => {
  const page = await newPage(browser);
  const byKeys = task.by === "keyboard";
  const find = async (selector) => {
    const found = await page.$(selector);
    if (!found) throw new Error(`${page.url()} has no ${selector}`);
    return found;
  };
  const isFocused = (element) => page.evaluate((element) => document.activeElement === element, element);
  // Tab from part to part, as somebody without a mouse does.
  const reach = async (element, selector) => {
    if (await isFocused(element)) return;
    const group = await element.evaluate((field) => (field.type === "radio" ? field.name : ""));
    for (let pressed = 0; pressed < MAX_TABS; pressed += 1) {
      await page.keyboard.press("Tab");
      if (await isFocused(element)) return;
      if (group && (await page.evaluate((name) => document.activeElement.name === name, group))) {
        for (let turn = 0; turn < 20 && !(await isFocused(element)); turn += 1) await page.keyboard.press("ArrowDown");
        if (await isFocused(element)) return;
      }
      const lit = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement);
        // Parts of a date are lit within the field, marks of a chart by their value.
        if (document.activeElement.matches("[type=date], [type=time], .mark")) return true;
        return document.activeElement === document.body || style.outlineStyle !== "none" || style.boxShadow !== "none";
      });
      check(lit, `${page.url()}: the focus cannot be seen on ${await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120))}`);
    }
    throw new Error(`${page.url()}: ${selector} is not reached by ${MAX_TABS} tabs`);
  };
  // Folded parts are opened as a person opens them.
  const unfold = async (element) => {
    const folds = await element.evaluateHandle((field) => {
      const closed = [];
      for (let fold = field.parentElement.closest("details"); fold; fold = fold.parentElement.closest("details")) if (!fold.open) closed.unshift(fold.querySelector("summary"));
      return closed;
    });
    for (const summary of (await folds.getProperties()).values()) await activate(summary.asElement(), "a fold");
  };
  const activate = async (element, selector) => {
    if (!byKeys) return element.click();
    await reach(element, selector);
    const isBox = await element.evaluate((field) => field.matches("[type=checkbox]"));
    const isRadio = await element.evaluate((field) => field.matches("[type=radio]") && field.checked);
    if (!isRadio) await page.keyboard.press(isBox || (await element.evaluate((field) => field.type === "radio")) ? "Space" : "Enter");
  };
  const press = async (selector) => {
    const element = await find(selector);
    await unfold(element);
    await activate(element, selector);
  };
  const go = (selector) => Promise.all([page.waitForNavigation(), press(selector)]);
  const fill = async (selector, words) => {
    const element = await find(selector);
    await unfold(element);
    if (byKeys) {
      await reach(element, selector);
      await page.keyboard.down("Control");
      await page.keyboard.press("KeyA");
      await page.keyboard.up("Control");
    } else {
      await element.click({ count: 3 });
    }
    await page.keyboard.type(words);
  };
  const choose = async (selector, file) => {
    const element = await find(selector);
    await unfold(element);
    const [chooser] = await Promise.all([page.waitForFileChooser(), activate(element, selector)]);
    await chooser.accept([file]);
  };

  await page.goto(`${task.base}/staff/sign-in`);
  await fill("#name", "qian");
  await fill("#password", task.password);
  await go("main form button");
  await go('nav a[href="/setup"]');
  await fill("#p-code", "credit-2026");
  await fill("#name_zh", "市场质量信用等级评价 2026");
  await fill("#name_en", "Rating 2026");
  await go('form[action="/programmes"] button');
  await fill("#code", "QH-CLINIC");
  await fill("#applicant", "qinghe");
  await fill("#applicant_name", "青禾医院");
  await press('input[value="organisation"]');
  await fill("#organisation-name", "青禾医院");
  await go('form[action="/applications"] button');
  check(page.url().endsWith("/applications/QH-CLINIC"), `registered, and led to ${page.url()}`);
  await choose("#file", task.list);
  await go('form[action$="/list"] button');
  const cells = await page.$$eval('input[name^="cell-"]', (cells) => cells.filter((cell) => /^1\d{9}$/.test(cell.value)).map((cell) => [cell.name, cell.value]));
  check(cells.length > 0, `no row can be corrected: ${(await text(page)).slice(0, 300)}`);
  for (const [name, value] of cells) await fill(`[name="${name}"]`, `${value}8`);
  await go('form:has(input[name^="cell-"]) button');
  check((await text(page)).includes("已更正"), "a correction is not taken");
  await go('form[action$="/import"] button');
  await go('a[href^="/new-campaign"]');
  await fill("#code", "QH-2026");
  const ticked = await page.$eval('[name="application-QH-CLINIC"]', (box) => box.checked).catch(() => true);
  if (!ticked) await press('[name="application-QH-CLINIC"]');
  await go('form[action="/drafts"] button');
  await fill('[name="plan-name"]', `${task.by === "keyboard" ? "键盘" : "鼠标"}写的计划`);
  await go("#draft button:not([name]):not(.unseen):not([type=button]):not([formaction])");
  check((await text(page)).includes("已保存"), `not saved: ${(await text(page)).slice(0, 300)}`);
  await go('a[href$="/launch"]');
  await go('form[action$="/launch"] button');
  check(page.url().includes("/campaigns/QH-2026"), `launched, and led to ${page.url()}`);
  done.by = task.by;
});
