// The console in a real Chromium: every page at two widths in two schemes under axe, an operator at work, and an auditor who finds out who looked.
// Reads {chromium, base, password, number}.
const { task, done, check, newPage, look, text, press, signIn, run } = require("./browser.js");

run(async (browser) => {
  const qian = await newPage(browser);
  await signIn(qian, "qian", task.password);
  check(qian.url().endsWith("/home"), `an operator is led to ${qian.url()}`);
  await look(qian, "home");
  // The home page is told anew when something changes.
  const before = await text(qian);
  await press(qian, 'form[action="/applications/A1/alarm"] button');
  check(!before.includes("qian") && (await text(qian)).includes("qian"), "an alarm is not taken over");
  for (const [path, name] of [["/campaigns", "campaigns"], ["/campaigns/C1", "campaign"], ["/cases", "cases-empty"], ["/inbox", "inbox"], ["/suppressions", "suppressions"], ["/deliveries", "deliveries"], ["/holidays", "holidays"], ["/holidays?year=2027", "holidays-empty"], ["/staff/account", "account"]]) {
    await qian.goto(task.base + path);
    await look(qian, name);
  }
  // A reply in its thread.
  await qian.goto(`${task.base}/inbox`);
  await press(qian, 'td a[href^="/inbox/"]');
  await look(qian, "reply");
  // An answer is shown as the person will read it while it is typed.
  await qian.type("#answer", "您好，纸质问卷已收到，不必再填。");
  await qian.click('button[data-insert="{name}"]');
  await qian.waitForSelector(".texting .bubble");
  check((await text(qian)).includes("按 1 条计费"), "an answer is not shown as it is typed");
  await look(qian, "reply-typed");
  await press(qian, 'form[action$="/answer"] p button:not(.chip)');
  check((await text(qian)).includes("待发送") || (await text(qian)).includes("已提交"), "an answer is lost");
  await look(qian, "reply-answered");
  // A version on the way is frozen, and its open answers are read.
  await qian.goto(`${task.base}/deliveries`);
  await press(qian, 'form[action="/datasets/A1/freeze"] button');
  await look(qian, "deliveries-waiting");
  await press(qian, 'form[action="/datasets/A1/interim-1/review"] button');
  await look(qian, "review");
  await qian.$eval('input[name="strike-1"]', (tick) => tick.click());
  await press(qian, 'form[action="/datasets/A1/interim-1/release"] p button');
  check((await text(qian)).includes("已放行"), "a version that was read does not go out");
  await qian.goto(`${task.base}/cases`);
  await qian.type("#who", task.number);
  await press(qian, 'form[action="/cases/search"] button');
  await look(qian, "cases-found");
  await press(qian, 'a[href^="/cases/"]');
  const story = qian.url();
  check(!(await text(qian)).replaceAll(" ", "").includes(task.number), "a number is shown before somebody asks");
  await press(qian, 'form[action$="/reveal"] button');
  check((await text(qian)).replaceAll(" ", "").includes(task.number), "a number is not shown");
  await look(qian, "timeline");
  await press(qian, 'form[action$="/export"] button[value="document"]');
  check((await qian.$("button[data-print]")) !== null && (await text(qian)).includes("所持有的个人信息"), "there is no document to print");
  await look(qian, "person-document");
  // A table is sorted by a press on its head, and filtered.
  await qian.goto(`${task.base}/cases?application=A1`);
  const first = () => qian.$eval("table.data tbody tr th", (cell) => cell.innerText);
  const last = await first();
  await qian.$eval("table.data thead button", (button) => button.click());
  check((await first()) !== last, "a table is not sorted");
  check((await qian.$("table.data thead th[data-unsorted] button")) === null, "ticks are sorted");
  const filter = await qian.$(".filter input");
  if (filter) {
    await filter.type("138");
    const before = qian.url();
    await filter.press("Enter");
    await new Promise((go) => setTimeout(go, 300));
    check(qian.url() === before, "Enter in the filter prints");
    await filter.evaluate((field) => { field.value = ""; field.dispatchEvent(new Event("input")); });
  }
  await qian.type('input[type="search"]', "1.1");
  const shown = await qian.$$eval("table.data tbody tr", (rows) => rows.filter((row) => !row.hidden).length);
  check(shown > 0 && shown < 40, `a table is not filtered: ${shown} rows`);
  await look(qian, "cases-of");

  const zhao = await newPage(browser);
  await signIn(zhao, "zhao", task.password);
  await zhao.goto(`${task.base}/accounts`);
  await look(zhao, "accounts");
  await zhao.goto(`${task.base}/privacy`);
  await look(zhao, "privacy");
  // A webhook: what was wrong is said, and nothing that was typed is lost; its secret is shown once.
  await zhao.goto(`${task.base}/webhooks`);
  await zhao.type("#name", "scoring");
  await zhao.type("#url", "http://scoring.example/hook");
  await press(zhao, 'form[action="/webhooks"] button');
  check((await text(zhao)).includes("https://") && (await zhao.$eval("#name", (input) => input.value)) === "scoring", "a webhook's mistake loses its name");
  await zhao.$eval("#url", (input) => (input.value = "https://scoring.example/hook"));
  await press(zhao, 'form[action="/webhooks"] button');
  check((await text(zhao)).includes("whsec_"), "a webhook's secret is not shown");
  await press(zhao, 'form[action="/webhooks/scoring/test"] button');
  check(!(await text(zhao)).includes("whsec_"), "a webhook's secret is shown again");
  await press(zhao, 'form[action="/webhooks/scoring/rotate"] button');
  await look(zhao, "webhooks");
  await zhao.goto(`${task.base}/staff/account`);
  await zhao.type("#offer-present", task.password);
  await press(zhao, 'form[action="/staff/account/second-factor"] button');
  await look(zhao, "second-factor");

  const li = await newPage(browser);
  await signIn(li, "li", task.password);
  await li.goto(`${task.base}/audit?object=${new URL(story).pathname.replace("/cases/", "case%3A")}`);
  check((await text(li)).includes("qian"), "an auditor does not find who looked");
  await look(li, "audit");
  await press(li, 'form[action="/audit/verify"] button');
  check((await text(li)).includes("条记录全部完好"), "the log is not verified");
  await li.goto(`${task.base}/cases`);
  check((await text(li)).includes("无权访问"), "an auditor sees people");

  // In the other language.
  await press(qian, 'header form[action="/staff/language"] button');
  await qian.goto(`${task.base}/home`);
  check((await text(qian)).includes("Pending work"), "there is no English");
  await look(qian, "home-en");
  done.story = story;
});
