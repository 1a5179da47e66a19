// Colleagues are invited in a real Chromium: the administrator pastes a list and copies the links; the invited opens one, chooses a password and goes on to the
// second factor. Reads {chromium, base, password, people, own}.
const { task, check, newPage, look, text, press, signIn, run } = require("./browser.js");

run(async (browser) => {
  const zhao = await newPage(browser);
  await signIn(zhao, "zhao", task.password);
  await zhao.goto(`${task.base}/accounts`);
  check((await zhao.$eval("#role", (select) => select.value)) === "interviewer", "the first role is not the least");
  await zhao.$$eval("details", (all) => all.forEach((one) => { one.open = true; }));
  await look(zhao, "accounts-invite");
  await zhao.$eval("#people", (area) => { area.value = "，12"; });
  await Promise.all([zhao.waitForNavigation(), zhao.$eval("#people", (area) => area.form.querySelector("button").click())]);
  check((await text(zhao)).includes("第 1 行"), "a wrong line is not named");
  await look(zhao, "accounts-wrong-line");
  await zhao.$eval("#people", (area, people) => { area.value = people; }, task.people);
  await Promise.all([zhao.waitForNavigation(), zhao.$eval("#people", (area) => area.form.querySelector("button").click())]);
  const messages = await zhao.$$eval("textarea[readonly]", (all) => all.map((one) => one.value));
  check(messages.length === 2 && messages.every((message) => message.includes("/staff/invitation/")), `${messages.length} links are shown`);
  check(await zhao.$eval("button[data-copy]", (button) => !button.hidden), "a link cannot be copied");
  await zhao.$eval("button[data-copy]", (button) => button.click());
  await new Promise((go) => setTimeout(go, 200));
  check((await zhao.$eval("button[data-copy]", (button) => button.textContent)) === "已复制", "nothing says that it is copied");
  await look(zhao, "accounts-links");

  const link = messages[0].slice(messages[0].indexOf("http"));
  const chen = await newPage(browser);
  await chen.goto(link);
  check((await text(chen)).includes("陈晓"), "the invited is not named");
  await look(chen, "invitation");
  await chen.type("#password", task.own);
  await chen.type("#again", task.own);
  await press(chen, "main form button");
  check((await text(chen)).includes("密码已设置") && (await chen.$(".qr-code svg")) !== null, "there is no second factor to set up");
  await look(chen, "invitation-second-factor");
  await chen.goto(link);
  check((await text(chen)).includes("已用过"), "a used link does not say so");
  await look(chen, "invitation-used");
  await chen.goto(`${task.base}/supervision`);
  check((await chen.$eval("header", (header) => header.innerText)).includes("陈晓"), "the header has no name");
});
