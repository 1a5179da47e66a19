// The page of conspicuous responses: looked at, and a response is excluded there.
// Reads {chromium, base, password}.
const { task, check, newPage, look, text, press, signIn, run } = require("./browser.js");

run(async (browser) => {
  const qian = await newPage(browser);
  await signIn(qian, "qian", task.password);
  await qian.goto(`${task.base}/home`);
  await press(qian, 'a[href="/applications/A1/responses"]');
  check((await text(qian)).includes("同一设备"), `no cluster is shown: ${(await text(qian)).slice(0, 300)}`);
  await qian.$$eval("details", (all) => all.forEach((one) => { one.open = true; }));
  await look(qian, "responses");
  await qian.type('input[name="reason"]', "回访确认非本人作答");
  await press(qian, 'button[value="excluded"]');
  check((await text(qian)).includes("已剔除 (qian): 回访确认非本人作答"), "an exclusion is not shown");
  await look(qian, "responses-excluded");
});
