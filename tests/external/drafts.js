// A new operator at an empty installation: programme, application, the demo's dirty list, corrected, a campaign, tested, rehearsed, launched.
// Reads {chromium, base, password, list, long}.
const { task, done, check, newPage, look, text, press, signIn, run } = require("./browser.js");

run(async (browser) => {
  const began = Date.now();
  const qian = await newPage(browser);
  await signIn(qian, "qian", task.password);
  await qian.goto(`${task.base}/setup`);
  await look(qian, "setup-empty");
  const fill = async (fields) => {
    for (const [id, value] of Object.entries(fields)) {
      await qian.$eval(`#${id}`, (field) => { const fold = field.closest("details"); if (fold) fold.open = true; field.value = ""; });
      await qian.type(`#${id}`, value);
    }
  };
  await fill({ "p-code": "credit-2026", name_zh: "市场质量信用等级评价 2026", name_en: "Rating 2026" });
  await press(qian, 'form[action="/programmes"] button');
  await fill({ code: "QH-CLINIC", applicant: "qinghe", applicant_name: "青禾医院" });
  await qian.$eval('input[value="organisation"]', (radio) => radio.click());
  await fill({ "organisation-name": "青禾医院" });
  await look(qian, "setup");
  await press(qian, 'form[action="/applications"] button');
  const registered = qian.url();
  await qian.goto(`${task.base}/setup`);
  await qian.$eval('form[action="/application-drafts"]', (form) => { const fold = form.closest("details"); if (fold) fold.open = true; });
  await (await qian.$('form[action="/application-drafts"] input[type=file]')).uploadFile(task.form);
  await press(qian, 'form[action="/application-drafts"] button');
  check(qian.url().includes("/application-drafts/"), `the form led to ${qian.url()}: ${(await text(qian)).slice(0, 300)}`);
  await look(qian, "application-draft");
  await qian.goto(registered);
  check(qian.url().endsWith("/applications/QH-CLINIC"), `registered, and led to ${qian.url()}`);
  await look(qian, "application");
  // A list that is too long: people are ticked off, then drawn; it is read again, and discarded.
  await (await qian.$("#file")).uploadFile(task.long);
  await press(qian, 'form[action$="/list"] button');
  check((await text(qian)).includes("超出上限 30 人（至多 100 人）"), `not too long: ${(await text(qian)).slice(0, 400)}`);
  await look(qian, "list-over");
  await qian.$eval('[name="leave-2"]', (box) => box.click());
  await press(qian, 'button[value="rows"]');
  check((await text(qian)).includes("超出上限 29 人"), "nobody is left out by hand");
  await press(qian, 'button[value="draw"]');
  check(/129 人中抽取 100 人，随机种子 \d+/.test(await text(qian)), `nothing is drawn: ${(await text(qian)).slice(0, 400)}`);
  check(await qian.evaluate(() => document.querySelector("#leave-out").closest("section").querySelector("tbody tr").innerText.includes("由人工选定")), "the ticked row is forgotten");
  await look(qian, "list-drawn");
  await qian.$eval('[name="encoding"]', (select) => { select.closest("details").open = true; select.value = "UTF-8"; });
  await press(qian, 'form[action$="/read"] button');
  check((await text(qian)).includes("已重新读取"), "it is not read again");
  await press(qian, 'form[action$="/discard"] button');
  await qian.goto(`${task.base}/applications/QH-CLINIC`);
  const chooser = await qian.$("#file");
  await chooser.uploadFile(task.list);
  await press(qian, 'form[action$="/list"] button');
  await look(qian, "list");
  await qian.$$eval("main details", (all) => all.forEach((part) => { if (part.querySelector('select[name^="column-"]')) { part.open = true; part.scrollIntoView(); } }));
  await look(qian, "list-columns");
  // A number that was one digit short is put right, the others stay out.
  const sheet = await qian.$eval('a[href$="/correction-sheet"]', (link) => fetch(link.href).then(async (answer) => [answer.status, (await answer.arrayBuffer()).byteLength, answer.headers.get("content-disposition")]));
  check(sheet[0] === 200 && sheet[1] > 1000 && sheet[2].includes("filename*=UTF-8''"), `no correction sheet: ${sheet}`);
  const cells = await qian.$$('input[name^="cell-"]');
  check(cells.length > 0, "no row is shown to be corrected");
  let corrected = 0;
  for (const cell of cells) {
    const value = await cell.evaluate((field) => field.value);
    if (/^1\d{9}$/.test(value)) {
      await cell.type("8");
      corrected += 1;
    }
  }
  check(corrected > 0, "no number is one digit short");
  await press(qian, 'form:has(input[name^="cell-"]) button');
  check((await text(qian)).includes("已更正"), "a correction is not taken");
  const over = (await text(qian)).includes("allows at most");
  check(!over, `the list is over its cap: ${await text(qian)}`);
  await press(qian, 'form[action$="/import"] button');
  await qian.goto(`${task.base}/questionnaires/organisation`);
  await look(qian, "questionnaire");
  await qian.goto(`${task.base}/new-campaign?application=QH-CLINIC`);
  await fill({ code: "QH-2026" });
  await look(qian, "new-campaign");
  await press(qian, 'form[action="/drafts"] button');
  await look(qian, "draft");
  // All parts open; a placeholder is inserted where the cursor is, and the message follows while it is typed.
  await qian.$$eval("main details", (all) => all.forEach((part) => { part.open = true; }));
  await look(qian, "draft-open");
  const bubble = () => qian.$eval('[data-part="step-0-zh"]', (part) => part.innerText);
  const before = await bubble();
  check(/条计费/.test(before) && !before.includes("{"), `no message is shown: ${before}`);
  await qian.$eval("#step-0-zh", (field) => { field.focus(); field.setSelectionRange(field.value.length, field.value.length); });
  await qian.keyboard.type("，还剩");
  await qian.click('button[data-insert="{days_left}"][data-into="step-0-zh"]');
  await qian.waitForFunction(() => document.querySelector('[data-part="step-0-zh"]').innerText.includes("还剩30"), { timeout: 5000 }).catch(() => check(false, "the message does not follow what is typed"));
  await qian.goto(`${task.base}/drafts/QH-2026`);
  // Mistakes stand beside their fields, all at once.
  const spoil = async () => {
    await qian.$eval("#step-0-zh", (field) => { field.value = "没有链接"; });
    await qian.$eval("#max_parts", (field) => { field.value = ""; });
    await press(qian, "#draft button:not([name]):not(.unseen):not([type=button]):not([formaction])");
  };
  await spoil();
  const marked = await qian.$$eval("#draft [aria-invalid=true]", (fields) => fields.map((field) => field.id));
  check(marked.includes("step-0-zh") && marked.includes("max_parts"), `marked are ${marked}`);
  await look(qian, "draft-wrong");
  await press(qian, '#draft button[formaction$="/undo"]');
  check((await text(qian)).includes("已撤销上一次修改") && (await text(qian)).includes("预演"), "the change is not taken back");
  check((await text(qian)).includes("预演"), `no rehearsal: ${(await text(qian)).slice(0, 600)}`);
  // Two tabs: what the first has saved meanwhile is shown beside what the second wanted.
  const tab = await qian.browserContext().newPage();
  await tab.goto(qian.url());
  const save = async (page, name) => {
    await page.$eval('[name="plan-name"]', (field, name) => { field.value = name; }, name);
    await press(page, "#draft button.unseen");
  };
  await save(tab, "第一个标签页的计划");
  await save(qian, "第二个标签页的计划");
  const both = await text(qian);
  check(both.includes("他人已先保存") && both.includes("第一个标签页的计划") && both.includes("第二个标签页的计划"), `no conflict is shown: ${both.slice(0, 300)}`);
  await look(qian, "conflict");
  await tab.close();
  await qian.goto(`${task.base}/drafts/QH-2026`);
  await fill({ number: "13812345678" });
  await press(qian, 'form[action$="/test"] button');
  check((await text(qian)).includes("测试短信已发出"), `no test: ${(await text(qian)).slice(0, 300)}`);
  // A launch is confirmed on a page that says what it does.
  await press(qian, 'a[href$="/launch"]');
  const confirmation = await text(qian);
  for (const word of ["受访者", "费用", "首条发出", "末条最迟", "达标把握"]) check(confirmation.includes(word), `the confirmation does not say ${word}`);
  await look(qian, "launch");
  await press(qian, 'form[action$="/launch"] button');
  check(qian.url().includes("/campaigns/QH-2026"), `launched, and led to ${qian.url()}`);
  done.seconds = (Date.now() - began) / 1000;
});
