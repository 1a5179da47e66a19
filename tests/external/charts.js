// Charts by the keyboard in a real Chromium: one stop each, arrows within, the value beside the mark. Reads {chromium, base, password}.
const { task, check, newPage, signIn, run } = require("./browser.js");

run(async (browser) => {
  const page = await newPage(browser);
  await signIn(page, "zhao", task.password);
  await page.goto(`${task.base}/campaigns/C1/contacts`);
  const seen = () => page.evaluate(() => {
    const mark = document.activeElement, chart = mark.closest("[data-marks]");
    const marks = chart ? [...chart.querySelectorAll(".mark")] : [];
    const shown = marks.filter((other) => getComputedStyle(other.querySelector(".value")).visibility === "visible");
    return { at: marks.indexOf(mark), all: marks.length, stops: marks.filter((other) => other.tabIndex === 0).length, shown: shown.map((other) => other.querySelector(".value").textContent), words: mark.getAttribute("aria-label") };
  });
  await page.evaluate(() => document.querySelector("[data-marks] .mark").focus());
  let now = await seen();
  check(now.at === 0 && now.stops === 1 && now.shown.length === 1 && now.shown[0] === now.words, `the first mark: ${JSON.stringify(now)}`);
  await page.keyboard.press("ArrowRight");
  now = await seen();
  check(now.at === 1 && now.stops === 1 && now.shown[0] === now.words, `an arrow: ${JSON.stringify(now)}`);
  await page.keyboard.press("End");
  now = await seen();
  check(now.at === now.all - 1, `the end: ${JSON.stringify(now)}`);
  // In a heat map an arrow down is the next hour of the same weekday.
  await page.evaluate(() => document.querySelector(".heat .mark").focus());
  await page.keyboard.press("ArrowDown");
  now = await seen();
  check(now.at === (now.all > 7 ? 7 : 0), `down: ${JSON.stringify(now)}`);
  // What takes long says so.
  await page.goto(`${task.base}/setup`);
  const busy = await page.evaluate(async () => {
    const form = document.querySelector("form[data-busy]");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.requestSubmit ? form.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })) : form.submit();
    await new Promise((go) => setTimeout(go, 600));
    return form.querySelector(".busy") ? form.querySelector(".busy").textContent : "";
  });
  check(busy.includes("正在读取文件"), `a long upload says «${busy}»`);
});
