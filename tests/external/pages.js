// Looks at pages of one account in a real Chromium, at two widths in two schemes under axe, each with what it must say.
// Reads {chromium, base, password, account, pages: [[path, name, text]], widths (or those of browser.js)}.
const { task, check, newPage, look, text, signIn, run } = require("./browser.js");

run(async (browser) => {
  const page = await newPage(browser);
  await signIn(page, task.account, task.password);
  for (const [path, name, said] of task.pages) {
    await page.goto(task.base + path);
    check((await text(page)).includes(said), `${path} does not say «${said}»`);
    await look(page, name);
  }
});
