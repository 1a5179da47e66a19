// The browser's notices: nothing is asked for before a press, what was there before is not told, what is new is told once and without personal data, and
// a second press switches them off. A text of the library is inserted where the cursor is.
// Reads {chromium, base, password, account, replies, reply}: the address that a gateway pushes a reply to, and the reply.
const { task, check, newPage, text, signIn, run } = require("./browser.js");

run(async (browser) => {
  const page = await newPage(browser);
  await page.browserContext().overridePermissions(task.base, ["notifications"]);
  await page.evaluateOnNewDocument(() => {
    window.told = [];
    window.asked = 0;
    window.Notification = class {
      static permission = sessionStorage.getItem("granted") || "default";
      static async requestPermission() { window.asked += 1; sessionStorage.setItem("granted", "granted"); return (Notification.permission = "granted"); }
      constructor(title, { body, tag }) { window.told.push({ title, body, tag }); }
    };
    // The minute between two questions is over when the test says so.
    const wait = window.setInterval;
    window.setInterval = (work, time) => (time === 60000 ? ((window.minute = work), 0) : wait(work, time));
  });
  await signIn(page, task.account, task.password);
  await page.goto(`${task.base}/home`);
  check((await page.evaluate(() => window.asked)) === 0, "permission is asked for without a press");
  await page.evaluate(() => window.minute());
  check((await page.evaluate(() => window.told.length)) === 0, "something is told before it is switched on");
  await page.click("#notices");
  await page.waitForFunction(() => document.getElementById("notices").textContent.startsWith("关闭"));
  check((await page.evaluate(() => window.told.length)) === 0, "what was there before is told");
  const pushed = await fetch(task.replies, { method: "POST", body: JSON.stringify(task.reply) });
  check(pushed.ok, `the reply is not taken: ${pushed.status}`);
  // On another page of the console as well.
  await page.goto(`${task.base}/campaigns/C1`);
  await page.waitForFunction(() => window.told.length > 0, { timeout: 10000 });
  await page.evaluate(() => window.minute());
  const told = await page.evaluate(() => window.told);
  check(told.length === 1 && told[0].body.includes("新短信"), `told: ${JSON.stringify(told)}`);
  check(!JSON.stringify(told).includes(task.reply.text) && !JSON.stringify(told).includes(task.reply.from), "a notice has personal data");
  await page.goto(`${task.base}/home`);
  await page.evaluate(() => window.minute());
  check((await page.evaluate(() => window.told.length)) === 0, "it is told again on the next page");
  await page.click("#notices");
  check((await page.$eval("#notices", (button) => button.textContent)).startsWith("开启"), "it is not switched off");

  await page.goto(`${task.base}/drafts/C2`);
  const field = "#step-0-zh";
  await page.$eval(field, (area) => { area.value = "前后"; area.setSelectionRange(1, 1); });
  await page.$eval('[data-into="step-0-zh"][data-insert^="您好"]', (button) => { button.closest("details").open = true; button.click(); });
  check((await page.$eval(field, (area) => area.value)) === "前您好，盼您抽空答复。后", "the library's text is not inserted");
  check((await text(page)).includes("从文库插入"), "the draft has no library");
});
