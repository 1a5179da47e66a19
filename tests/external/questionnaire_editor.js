// The questionnaire editor in a real Chromium: cards, options, a condition and the order by keyboard, dragging by mouse, the phone as one types. Reads {chromium, base, password}.
const { task, done, check, newPage, look, text, press, signIn, run } = require("./browser.js");

run(async (browser) => {
  const page = await newPage(browser);
  await signIn(page, "li", task.password);
  await page.goto(`${task.base}/questionnaires`);
  await look(page, "questionnaires");
  await page.goto(`${task.base}/questionnaires`);
  const summary = await page.$("section[aria-labelledby=of-brand] summary");
  await summary.focus();
  await page.keyboard.press("Enter");
  await page.select("#from-brand", "file");
  await press(page, "section[aria-labelledby=of-brand] form button");
  await look(page, "editor-closed");

  const settled = async (what, test, ...args) =>
    page.waitForFunction(test, { timeout: 8000 }, ...args).catch(() => check(false, `${what}: does not come about`));
  const idle = () => settled("all is saved", () => !document.getElementById("editor").hasAttribute("data-saving"));
  const saved = (revision) => settled(`revision ${revision}`, (revision) => document.getElementById("editor").dataset.revision === revision, String(revision));
  const revision = () => page.$eval("#editor", (editor) => Number(editor.dataset.revision));
  const at = () => page.evaluate(() => document.activeElement.id);

  // A new item, by the keyboard alone: the focus is in its first field.
  const fold = await page.$("#page-4 .add summary");
  await fold.focus();
  await page.keyboard.press("Enter");
  const add = await page.$('#page-4 .add button[value="add-item:single"]');
  await add.focus();
  await page.keyboard.press("Enter");
  await settled("the new card", () => document.activeElement.id === "text-zh");
  await page.keyboard.type("您为什么不太满意？");
  // The phone follows before anything is saved.
  await settled("the phone", () => document.querySelector("[data-part=phone]").innerText.includes("您为什么不太满意？"));
  let now = await revision();
  await page.keyboard.press("Tab");
  await saved(now + 1);
  check((await at()) === "text-en", `the focus is lost by saving: ${await at()}`);
  await page.keyboard.type("Why are you less than satisfied?");
  await page.focus("#opt-0-text-zh");
  await page.keyboard.type("价格");
  await page.focus("#opt-0-text-en");
  await page.keyboard.type("The price");
  await page.focus("#opt-1-text-zh");
  await page.keyboard.type("质量");
  await page.focus("#opt-1-text-en");
  await page.keyboard.type("The quality");
  await page.focus("#option-add");
  await page.keyboard.press("Enter");
  await settled("a third option with the focus", () => document.activeElement.name && /^opt-2-text-/.test(document.activeElement.name));
  await page.focus("#opt-2-text-zh");
  await page.keyboard.type("其他");
  await page.focus("#opt-2-text-en");
  await page.keyboard.type("Else");
  await page.focus("#if-mode");
  await idle();
  const choose = async (field, value) => {
    await idle();
    const now = await revision();
    await page.select(field, value);
    await saved(now + 1);
    await idle();
  };
  await choose("#if-mode", "all");
  check((await at()) === "if-mode", `a choice that reloads the card loses the focus: ${await at()}`);
  await choose("#if-0-name", "sat1");
  await choose("#if-0-test", "below");
  await choose("#if-0-test", "at_most");
  await choose("#if-0-value", "6");
  check((await text(page)).includes("仅当“总体上，您对该品牌的满意程度如何？”不高于 6"), "the condition is not said in words");
  check((await text(page)).includes("没有错误"), `the new item has mistakes: ${(await text(page)).slice(0, 400)}`);
  await look(page, "editor-item");

  // Up by its arrow: the focus stays on the arrow, and the card moves.
  const place = () => page.evaluate(() => [...document.querySelectorAll("[data-item]")].map((card) => card.dataset.item));
  const before = await place();
  await page.focus("#up-q1");
  await page.keyboard.press("Enter");
  await settled("the card one up", (old) => [...document.querySelectorAll("[data-item]")].findIndex((card) => card.dataset.item === "q1") === old - 1, before.indexOf("q1"));
  check((await at()) === "up-q1", `the arrow loses the focus: ${await at()}`);

  // Dragged by its handle to the place before another card.
  const drag = async (from, to) => {
    const middle = async (selector) => {
      const box = await (await page.$(selector)).boundingBox();
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    await page.$eval(`[data-item="${to}"]`, (card) => card.scrollIntoView({ block: "center" }));
    await page.mouse.move(...(await middle(`[data-item="${from}"] .handle`)));
    await page.mouse.down();
    await page.mouse.move(...(await middle(`[data-item="${to}"] .sum`)), { steps: 8 });
    await page.mouse.up();
  };
  await page.goto(`${task.base}/questionnaires/brand/edit`);
  await drag("q1", "why1");
  await settled("the dragged card", () => { const ids = [...document.querySelectorAll("[data-item]")].map((card) => card.dataset.item); return ids.indexOf("q1") === ids.indexOf("why1") - 1; });

  // A mistake stands beside its card, and goes.
  await page.goto(`${task.base}/questionnaires/brand/edit?open=item-q1`);
  await page.$eval("#text-en", (field) => { field.value = ""; field.dispatchEvent(new Event("change", { bubbles: true })); });
  await settled("the mistake", () => document.querySelector("#item-q1 .found .bad"));
  await look(page, "editor-mistake");
  await page.$eval("#undo", (button) => button.click());
  await settled("no mistake after «undo»", () => document.getElementById("editor") && !document.querySelector("#item-q1 .found .bad"));
  await page.goto(`${task.base}/questionnaires/brand/edit?open=head`);
  await look(page, "editor-head");
  await page.goto(`${task.base}/questionnaires/brand/edit?open=page-4`);
  await look(page, "editor-page");
  await page.goto(`${task.base}/questionnaires/brand/versions`);
  check((await text(page)).includes("新增"), "the difference is not told");
  await look(page, "editor-versions");

  // A grid with two languages at phone width, in English.
  await page.goto(`${task.base}/questionnaires/brand/edit`);
  await page.evaluate(() => document.querySelector("#page-1 .add details").open = true);
  await page.$eval('#page-1 .add button[value="add-item:grid"]', (button) => button.click());
  await settled("the grid", () => document.getElementById("row-0-text-zh"));
  await look(page, "editor-grid");
  await page.$eval('#item-q2 .acts button[value="remove"]', (button) => button.click());
  await settled("no grid", () => !document.getElementById("item-q2"));
  await page.goto(`${task.base}/questionnaires/brand/edit`);
  await press(page, 'form[action$="/edit/release"] button');
  done.released = (await text(page)).includes("已发布");
});
