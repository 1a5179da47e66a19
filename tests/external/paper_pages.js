// Paper forms in a real Chromium: the pages at both widths and colours, a form keyed in by the keyboard alone, and the printed pages as PDF. Reads {chromium, base, password, numbers, forms, pdf}.
const { task, done, check, newPage, look, text, press, signIn, run } = require("./browser.js");

run(async (browser) => {
  const page = await newPage(browser);
  await signIn(page, "qian", task.password);
  await page.goto(`${task.base}/campaigns/C1/paper`);
  await look(page, "paper-campaign");
  await page.goto(`${task.base}/cases?application=A1`);
  await look(page, "paper-cases");

  // By the keyboard alone: the number, then field by field; Enter leads on, over what the routing skips, and to the button that saves.
  await page.goto(`${task.base}/paper`);
  await look(page, "paper-desk");
  await page.goto(`${task.base}/paper`);
  const at = () => page.evaluate(() => document.activeElement.id || document.activeElement.value);
  // A browser that is busy sets the focus a little after the page is there.
  const isAt = (wanted, what) =>
    page.waitForFunction((wanted) => (document.activeElement.id || document.activeElement.value) === wanted, { timeout: 5000 }, wanted)
      .catch(async () => check(false, `${what}: the focus is at ${await at()}, not at ${wanted}`));
  await isAt("number", "on the desk");
  await page.keyboard.type("1234567890");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check((await text(page)).includes("编号"), "a mistyped number is not told");
  await look(page, "paper-mistyped");
  await page.goto(`${task.base}/paper`);
  await isAt("number", "on the desk again");
  await page.keyboard.type(task.numbers[0]);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  const enter = async (keys, expected) => {
    await page.keyboard.type(keys);
    await page.keyboard.press("Enter");
    await isAt(expected, `after ${keys}`);
  };
  await isAt("f-use", "on a form");
  await enter("1", "f-sat1");
  await enter("9", "f-price");
  check((await page.$eval('[data-item="why"]', (row) => row.className)) === "skipped", "a question that is skipped does not look so");
  await look(page, "paper-form");
  await page.focus("#f-price");
  await enter("8", "f-note");
  await enter("", "filled_on");
  await enter("", "save");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check((await text(page)).includes("已录入：完成"), `the form is not stored: ${(await text(page)).slice(0, 300)}`);

  // A mistake keeps what was keyed, and the focus goes to it.
  await page.goto(`${task.base}/paper/${task.numbers[1].replaceAll(" ", "")}`);
  await isAt("f-use", "on the second form");
  await enter("7", "f-sat1");
  await enter("3", "f-why");
  await enter("1", "f-price");
  await enter("8", "f-note");
  await enter("", "filled_on");
  await enter("", "save");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await isAt("f-use", "after a mistake");
  check((await page.$eval("#f-sat1", (field) => field.value)) === "3", "a mistake loses what was keyed");
  await look(page, "paper-problem");

  // The form of another keyer whose two keyings differ.
  await page.goto(`${task.base}/paper/${task.numbers[2].replaceAll(" ", "")}/differences`);
  await look(page, "paper-differences");
  await page.$eval('input[name="choice-sat1"][value="second"]', (input) => input.click());
  await press(page, "main form button");
  check((await text(page)).includes("已裁定"), `the difference is not settled: ${await text(page)}`);

  // On paper: A4, and nothing wider than it.
  const paper = await newPage(browser);
  for (const name of ["forms", "letters", "labels"]) {
    await paper.goto(`file://${task.folder}/${name}.html`);
    await paper.emulateMediaType("print");
    const wide = await paper.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(wide <= 0, `${name}: ${wide} px too wide`);
    const pdf = await paper.pdf({ path: `${task.folder}/${name}.pdf`, preferCSSPageSize: true, printBackground: true });
    check(pdf.length > 2000, `${name}: no PDF`);
  }
  done.printed = 3;
});
