// Two interviewers work side by side in a real Chromium while respondents open their links. Reads {chromium, base, password, links: {number: link}}.
const { task, done, check, newPage, look, text, press, signIn, run } = require("./browser.js");

Object.assign(done, { numbers: [], interviews: 0 });

async function number(page) {
  const href = await page.$eval(".number a", (a) => a.getAttribute("href"));
  return href.replace("tel:", "");
}

// Answers every question on the pages by the keys alone (the second of the options, where it is no scale), and sends each with Enter.
async function byKeys(page, key) {
  for (let pages = 0; pages < 8; pages += 1) {
    const questions = await page.$$eval("#questions fieldset", (all) => all.length);
    if (questions === 0) break;
    for (let n = 0; n < questions; n += 1) {
      const isScale = (await page.$("#questions fieldset.now .scale")) !== null;
      await page.keyboard.press(isScale ? key : "2");
    }
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  }
}

// A chosen point is seen without `:has()` and in forced colours; on paper the page is black on white, without the menu and buttons.
async function lookWithoutHas(page) {
  const client = await page.createCDPSession();
  await page.evaluate(() => {
    const sheet = document.styleSheets[0];
    for (let n = sheet.cssRules.length - 1; n >= 0; n -= 1) if ((sheet.cssRules[n].selectorText || "").includes(":has(")) sheet.deleteRule(n);
  });
  await page.$eval(".scale input", (input) => input.click());
  const seen = () => page.evaluate(() => {
    const [chosen, other] = [".scale label:first-child", ".scale label:last-child"].map((one) => getComputedStyle(document.querySelector(`${one} span`)));
    return chosen.backgroundColor !== other.backgroundColor || chosen.outlineStyle !== other.outlineStyle;
  });
  const media = (media, features) => client.send("Emulation.setEmulatedMedia", { media, features });
  check(await seen(), "without :has() a chosen point looks like any other");
  await media("", [{ name: "forced-colors", value: "active" }]);
  check(await page.evaluate(() => matchMedia("(forced-colors: active)").matches), "no forced colours to be looked at");
  check(await seen(), "in forced colours a chosen point looks like any other");
  await media("print", [{ name: "prefers-color-scheme", value: "dark" }]);
  check(await seen(), "on paper a chosen point looks like any other");
  const paper = await page.evaluate(() => ({
    ink: getComputedStyle(document.body).color,
    paper: getComputedStyle(document.body).backgroundColor,
    shown: [...document.querySelectorAll("header, button")].filter((one) => one.getClientRects().length > 0).length,
  }));
  check(paper.ink === "rgb(0, 0, 0)" && paper.paper === "rgb(255, 255, 255)" && paper.shown === 0, `on paper: ${JSON.stringify(paper)}`);
  await media("", []);
  await client.detach();
  await page.reload();
}

run(async (browser) => {
  const [wu, zheng, guest] = [await newPage(browser), await newPage(browser), await newPage(browser)];
  await wu.goto(`${task.base}/interview`);
  check(wu.url().endsWith("/staff/sign-in?next=%2Finterview"), `not signed in, and led to ${wu.url()}`);
  await look(wu, "sign-in");
  await signIn(wu, "wu", "not the password at all");
  check((await text(wu)).includes("用户名或密码不正确"), "a wrong password is not told");
  await signIn(wu, "wu", task.password);
  await signIn(zheng, "zheng", task.password);
  check(wu.url().endsWith("/interview") && zheng.url().endsWith("/interview"), `signed in, and led to ${wu.url()}`);
  await look(wu, "ready");
  await Promise.all([press(wu, 'form[action="/interview/next"] button'), press(zheng, 'form[action="/interview/next"] button')]);
  const [first, second] = [await number(wu), await number(zheng)];
  done.numbers.push(first, second);
  check(first !== second, "two interviewers have the same person");
  await look(wu, "call-consent");

  // A supervisor sits beside: the interviewer's page says so, and the supervisor's goes on by itself.
  const qian = await newPage(browser);
  await signIn(qian, "qian", task.password);
  check(qian.url().endsWith("/home"), `a supervisor is led to ${qian.url()}`);
  await qian.goto(`${task.base}/supervision`);
  await press(qian, 'button[formaction$="/sit"][aria-label$="wu"]');
  check((await text(qian)).includes("还没开始提问"), `not beside: ${await text(qian)}`);
  await wu.bringToFront();
  await wu.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await wu.waitForSelector("#watched:not([hidden])", { timeout: 30000 });

  // One interviews by the keys; the other's respondent goes on alone meanwhile.
  await press(wu, '#questions form[action$="/begin"] button');
  await qian.bringToFront();
  await qian.waitForFunction(() => document.querySelector("[data-beside] fieldset:disabled") !== null, { timeout: 15000 });
  check((await text(qian)).includes("进度 1/"), `the page beside stays behind: ${await text(qian)}`);
  await qian.goto(`${task.base}/home`);
  await wu.bringToFront();
  await look(wu, "call-questions");
  await lookWithoutHas(wu);
  await press(zheng, '#questions form[action$="/begin"] button');
  const link = task.links[second];
  await guest.setViewport({ width: 390, height: 800 });
  await guest.goto(link);
  const choose = () => guest.$$eval("fieldset", (all) => all.forEach((one) => [...one.querySelectorAll("input[type=radio]")].at(-1).click()));
  await choose();
  await press(guest, 'form[action*="/answers"] button');
  await zheng.waitForSelector("#over:not([hidden])", { timeout: 30000 });
  check((await text(zheng)).includes("受访者正在网上填写"), "the interviewer is not told that the respondent goes on alone");
  await zheng.reload();
  check((await text(zheng)).includes("受访者正在网上填写"), "nor after a reload");
  await look(zheng, "call-taken-over");
  await press(zheng, '#questions form[action$="/outcome"] button');
  check((await text(zheng)).includes("转网上填写"), `the call is not over: ${await text(zheng)}`);

  await byKeys(wu, "9");
  check((await text(wu)).includes("访问完成"), `the interview did not end: ${(await text(wu)).slice(0, 300)}`);
  done.interviews += 1;

  // A call-back, with what can be wrong about it.
  await press(wu, 'form[action="/interview/next"] button');
  const third = await number(wu);
  done.numbers.push(third);
  const outcome = async (value, at) => {
    await wu.$eval(`input[value="${value}"]`, (input) => input.click());
    await wu.$eval("#at", (input, at) => { input.value = at; }, at);
    await press(wu, 'section form[action$="/outcome"] button.plain');
    return text(wu);
  };
  check((await outcome("call_back", "")).includes("请填写约定的日期和时间"), "a call-back without a time is taken");
  const night = await outcome("call_back", "2026-03-05T23:00");
  check(night.includes("其后最早可拨打的时间：") && night.includes("2026-03-06 09:00"), `a call-back at night is taken: ${night}`);
  await look(wu, "call-problem");
  check((await outcome("call_back", "2026-03-05T14:30")).includes("已记录：约时间再打"), "a call-back is not taken");

  // The supervisor sees it all, and asks the respondent whose interview is drawn.
  await qian.goto(`${task.base}/supervision`);
  await look(qian, "supervision");
  await press(qian, 'form[action="/supervision/verifications"] button');
  check((await text(qian)).includes("已抽取复核样本"), "no sample is drawn");
  await press(qian, 'form[action^="/supervision/verifications/"] button');
  check((await number(qian)) === first, "the supervisor asks somebody else");
  await look(qian, "verification");
  for (const [item, code] of [["took", "yes"], ["asked", "all"], ["manner", "good"], ["led", "no"]]) {
    await qian.$eval(`input[name="${item}"][value="${code}"]`, (input) => input.click());
  }
  await press(qian, "#questions form button");
  check((await text(qian)).includes("复核完成：可信"), `the verification is not taken: ${await text(qian)}`);

  await press(wu, 'header form[action="/staff/language"] button');
  check((await text(wu)).includes("Next person"), "the pages do not speak English");
  await wu.goto(`${task.base}/supervision`);
  check((await text(wu)).includes("Not allowed"), "an interviewer sees the supervisors' pages");
  await wu.goto(`${task.base}/interview`);
  await press(wu, 'header form[action="/staff/sign-out"] button');
  await wu.goto(`${task.base}/interview`);
  check(new URL(wu.url()).pathname === "/staff/sign-in", "signed out, and still inside");
});
