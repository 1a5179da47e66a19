// An applicant's pages as its staff see them: sign-in, applications, a list with mistakes, handed in.
// Reads {chromium, base, link, cookie, list}.
const { task, done, check, newPage, look, text, press, run } = require("./browser.js");

run(async (browser) => {
  const page = await newPage(browser);
  await page.goto(`${task.base}${task.link}`);
  check((await text(page)).includes("发送验证码至"), "no button for a code");
  await look(page, "applicant-sign-in");
  const [name, value] = task.cookie.split("=");
  await page.setCookie({ name, value, url: task.base, httpOnly: true, sameSite: "Strict" });
  await page.goto(`${task.base}${task.link}`);
  await look(page, "applicant-home");
  await page.$eval('input[name^="for-"]', (box) => { box.checked = true; });
  await (await page.$("#list-file")).uploadFile(task.list);
  await press(page, 'form[action$="/lists"] button');
  check((await text(page)).includes("请更正"), `nothing to correct: ${(await text(page)).slice(0, 300)}`);
  await page.$eval("details", (fold) => { fold.open = true; });
  await look(page, "applicant-list");
  await page.$eval('input[name="confirmed"]', (box) => box.click());
  await page.type("#declared-by", "王经理");
  await press(page, 'form[action$="/hand-in"] button');
  check((await text(page)).includes("已提交"), `not handed in: ${(await text(page)).slice(0, 300)}`);
  await look(page, "applicant-handed-in");
  done.said = (await text(page)).slice(0, 200);
});
