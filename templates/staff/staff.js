"use strict";
(() => {
  const body = document.body, call = body.dataset.call;
  // While the page is there, its person stays with it; when something else has taken over, the page says so.
  if (call) {
    const banner = document.getElementById("over"), watched = document.getElementById("watched");
    const beat = async () => {
      try {
        const sent = await fetch("/interview/" + call + "/alive", { method: "POST", body: new URLSearchParams({ token: body.dataset.token }) });
        const told = sent.ok ? await sent.json() : { state: "over" }, state = told.state;
        watched.hidden = !told.watched;
        if (state !== "held") {
          banner.hidden = false;
          banner.textContent = banner.dataset[state] || banner.dataset.over;
          // What was typed in a call that broke off can still be sent.
          if (state !== "over") document.querySelectorAll('#questions form:not([action$="/outcome"]) button').forEach((button) => { button.disabled = true; });
          clearInterval(timer);
        }
      } catch (error) { /* The network is away for a moment; the next beat tells. */ }
    };
    const timer = setInterval(beat, 20000);
    // A page in the background sends fewer; one that is looked at again sends at once.
    document.addEventListener("visibilitychange", () => { if (!document.hidden) beat(); });
    beat();
  }
  // Keys 0-9 answer the question at hand: the nth choice; 0 is the tenth.
  const questions = [...document.querySelectorAll("#questions fieldset")];
  const open = () => questions.find((q) => q.querySelector("input[type=radio]") && !q.querySelector("input:checked"));
  const mark = () => { questions.forEach((q) => q.classList.remove("now")); const q = open(); if (q) q.classList.add("now"); };
  if (questions.length) {
    mark();
    document.addEventListener("change", mark);
    document.addEventListener("keydown", (event) => {
      const where = event.target;
      if (event.ctrlKey || event.altKey || event.metaKey || /^(TEXTAREA|SELECT)$/.test(where.tagName) || (where.tagName === "INPUT" && !/^(radio|checkbox)$/.test(where.type))) return;
      if (!/^[0-9]$/.test(event.key)) return;
      const focused = where.closest ? where.closest("#questions fieldset") : null;
      const question = focused && focused.querySelector(":not(.na) > label > input[type=checkbox]") ? focused : open() || focused;
      if (!question) return;
      const inputs = [...question.querySelectorAll("input[type=radio], input[type=checkbox]")];
      const choices = inputs.filter((input) => !input.closest(".na"));
      const exact = question.querySelector(".scale") && choices.find((input) => input.value === (event.key === "0" && !choices.some((c) => c.value === "0") ? "10" : event.key));
      const chosen = exact || choices[event.key === "0" ? 9 : Number(event.key) - 1];
      if (!chosen) return;
      event.preventDefault();
      chosen.checked = chosen.type === "radio" ? true : !chosen.checked;
      chosen.dispatchEvent(new Event("change", { bubbles: true }));
      const next = open();
      if (next) next.scrollIntoView({ block: "nearest" }); else { const go = document.querySelector("#questions button"); if (go) go.focus(); }
    });
  }
  // A paper form is keyed field by field: Enter goes to the next that is asked, and from the last one to the button that saves.
  const keying = document.querySelector("form[data-keying]");
  if (keying) {
    const rows = [...keying.querySelectorAll("[data-item]")];
    const update = async () => {
      try {
        const sent = await fetch(keying.dataset.keying, { method: "POST", body: new URLSearchParams(new FormData(keying)) });
        if (!sent.ok) return;
        const skipped = (await sent.json()).skipped;
        rows.forEach((row) => row.classList.toggle("skipped", skipped.includes(row.dataset.item)));
      } catch (error) { /* The server says at the end what is asked. */ }
    };
    keying.addEventListener("keydown", async (event) => {
      if (event.key !== "Enter" || event.isComposing || event.target.tagName !== "INPUT" || event.target.type === "checkbox") return;
      event.preventDefault();
      const here = event.target;
      await update();
      const fields = [...keying.querySelectorAll("input:not([type=hidden]):not([type=checkbox])")];
      const next = fields.slice(fields.indexOf(here) + 1).find((field) => !field.closest(".skipped"));
      if (next) { next.focus(); next.select(); } else keying.querySelector("button[value=save]").focus();
    });
    keying.addEventListener("change", update);
    const wrong = keying.querySelector("[aria-invalid]") || keying.querySelector("input[autofocus]");
    if (wrong) wrong.focus();
  }
  // A button copies a text; without a clipboard (no TLS) the text is marked and copied as of old.
  document.querySelectorAll("button[data-copy]").forEach((button) => {
    const text = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text.value); } catch (error) { text.select(); document.execCommand("copy"); }
      button.textContent = button.dataset.copied;
    });
  });
  // Placeholders are inserted where the cursor is, and messages are shown as they are typed.
  document.querySelectorAll(".inserts").forEach((line) => { line.hidden = false; });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-insert]");
    if (!button) return;
    const field = document.getElementById(button.dataset.into);
    field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.querySelectorAll("form[data-preview]").forEach((form) => {
    let pause = 0;
    form.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(async () => {
        const sent = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
        if (!sent || !sent.ok) return;
        new DOMParser().parseFromString(await sent.text(), "text/html").querySelectorAll("[data-part]").forEach((part) => {
          const old = form.querySelector('[data-part="' + CSS.escape(part.dataset.part) + '"]');
          if (old) old.replaceWith(part);
        });
      }, 300);
    });
  });
  document.querySelectorAll("button[data-print]").forEach((button) => { button.hidden = false; button.addEventListener("click", () => window.print()); });
  // What takes long says so while it is being done.
  document.addEventListener("submit", (event) => {
    const form = event.target, words = form.dataset ? form.dataset.busy : "";
    if (!words) return;
    setTimeout(() => {
      if (form.querySelector(".busy")) return;
      const line = document.createElement("p"), bar = document.createElement("progress");
      line.className = "busy";
      line.setAttribute("role", "status");
      bar.setAttribute("aria-label", words);
      line.append(bar, words);
      form.append(line);
    }, 400);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form > .busy").forEach((line) => line.remove()));
  // The marks of a chart are one stop of the keyboard; arrows lead from one to the next.
  document.addEventListener("keydown", (event) => {
    const mark = event.target.closest ? event.target.closest(".mark") : null;
    if (!mark || event.ctrlKey || event.altKey || event.metaKey) return;
    const chart = mark.closest("[data-marks]"), marks = [...chart.querySelectorAll(".mark")];
    const row = Number(chart.dataset.marks) || 0;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -marks.length, End: marks.length };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const to = marks.indexOf(mark) + step, next = marks[Math.abs(step) === marks.length ? (step < 0 ? 0 : marks.length - 1) : to];
    if (!next) return;
    mark.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
  // Whoever sits beside an interview sees its page as it is now; a page in the background does not look.
  const beside = document.querySelector("[data-beside]");
  if (beside) {
    let before = "";
    const look = async () => {
      if (document.hidden) return;
      try {
        const sent = await fetch(beside.dataset.beside);
        if (!sent.ok || sent.redirected) { clearInterval(timer); location.reload(); return; }
        const now = await sent.text();
        if (now !== before) beside.innerHTML = before = now;
        if (beside.querySelector("[data-over]")) clearInterval(timer);
      } catch (error) { /* The network is away for a moment; the next look tells. */ }
    };
    const timer = setInterval(look, 3000);
    document.addEventListener("visibilitychange", look);
  }
  // The home page goes on telling.
  const live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    const source = new EventSource(live.dataset.live);
    source.onmessage = (event) => { if (!live.contains(document.activeElement)) live.innerHTML = event.data; };
  }
  // The browser's notices, while a page is open: asked for by a press, and each thing is told once, in whichever window.
  if (body.dataset.notices && window.Notification && window.isSecureContext) {
    const store = "fieldworkd-notices", button = document.getElementById("notices"), said = document.getElementById("notices-said");
    const known = () => { try { return JSON.parse(localStorage.getItem(store)); } catch (error) { return null; } };
    const isOn = () => Notification.permission === "granted" && Array.isArray(known());
    const label = () => { if (button) { button.hidden = false; button.textContent = isOn() ? button.dataset.on : button.dataset.off; } };
    const off = () => { localStorage.removeItem(store); label(); };
    const ask = async (isFirst) => {
      if (!isFirst && !isOn()) return;
      const sent = await fetch(body.dataset.notices).catch(() => null);
      if (!sent || !sent.ok || sent.redirected) return;
      const items = (await sent.json()).items, before = isFirst ? items.map((item) => item.id) : known() || [];
      localStorage.setItem(store, JSON.stringify(items.map((item) => item.id)));
      try {
        for (const item of items.filter((item) => !before.includes(item.id))) new Notification("fieldworkd", { body: item.text, tag: item.id });
      } catch (error) { off(); if (said) said.textContent = said.dataset.unable; }
    };
    if (button) {
      button.addEventListener("click", async () => {
        said.textContent = "";
        if (isOn()) return off();
        if (await Notification.requestPermission() !== "granted") { said.textContent = said.dataset.denied; return; }
        await ask(true);
        label();
      });
    }
    label();
    ask(false);
    setInterval(() => ask(false), 60000);
  }
  // On a phone a row is a card: each cell says what it is by its column's head.
  document.querySelectorAll(".scroll > table").forEach((table) => {
    if (!table.tHead || table.matches(".calendar, .month, .upright") || table.tHead.rows.length !== 1) return;
    const labels = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
    table.classList.add("stacked");
    // Laid out as cards it is still read as a table.
    table.setAttribute("role", "table");
    for (const group of [table.tHead, ...table.tBodies]) group.setAttribute("role", "rowgroup");
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      for (const cell of row.cells) cell.setAttribute("role", cell.tagName === "TD" ? "cell" : cell.scope === "row" ? "rowheader" : "columnheader");
    }
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, column) => {
        if (cell.colSpan === 1) cell.dataset.label = labels[column] || "";
        if (!cell.textContent.trim() && !cell.children.length) cell.dataset.empty = "";
        // What belongs together stays together beside the label.
        if (cell.childNodes.length > 1) {
          const whole = document.createElement("div");
          whole.append(...cell.childNodes);
          cell.append(whole);
        }
      });
    }
  });
  // Tables are sorted by a press on a column's head, and filtered by what is typed above them.
  document.querySelectorAll("table.data").forEach((table) => {
    const rows = () => [...table.tBodies[0].rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.dataset.unsorted !== undefined) return;
      const button = document.createElement("button");
      button.type = "button"; button.className = "sort"; button.append(...head.childNodes); head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const text = (row) => (row.cells[column] ? row.cells[column].textContent.trim() : "");
        const order = new Intl.Collator(document.documentElement.lang, { numeric: true });
        rows().sort((a, b) => (up ? 1 : -1) * order.compare(text(a), text(b))).forEach((row) => table.tBodies[0].append(row));
      });
    });
    if (rows().length > 8) {
      const label = document.createElement("label"), input = document.createElement("input");
      input.type = "search";
      label.className = "filter";
      label.append(document.documentElement.lang === "zh" ? "筛选 " : "Filter ", input);
      (table.closest(".scroll") || table).before(label);
      // The table may stand in a form, which Enter here would send.
      input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
      input.addEventListener("input", () => {
        const wanted = input.value.trim().toLowerCase();
        rows().forEach((row) => { row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted); });
      });
    }
  });
  // The questionnaire's editor: fields are saved as they are left, the phone shows what is being typed, and a button does its work without loading the page anew. Everything works by forms alone as well.
  const editor = () => document.getElementById("editor");
  if (editor()) {
    let queue = Promise.resolve(), typing = 0, waiting = 0;
    const count = (change) => { waiting += change; editor().toggleAttribute("data-saving", waiting > 0); };
    const say = (text, isBad) => { const said = document.getElementById("said"); if (said) { said.textContent = text; said.classList.toggle("bad", isBad); } };
    // Parts that show what is stored; the fields in hand stay as they are.
    const refresh = (next) => {
      next.querySelectorAll("[data-part]").forEach((part) => {
        const old = editor().querySelector('[data-part="' + CSS.escape(part.dataset.part) + '"]');
        if (old && !(part.dataset.part === "releasable" && old.contains(document.activeElement))) old.replaceWith(part);
      });
      editor().dataset.revision = next.dataset.revision;
      const undo = document.getElementById("undo"), button = next.querySelector("#undo");
      if (undo && button) undo.disabled = button.disabled;
    };
    const replace = (next, wanted) => {
      const before = editor().dataset.open, held = document.activeElement ? document.activeElement.id : "";
      editor().replaceWith(next);
      const card = next.dataset.open && document.getElementById(next.dataset.open);
      const fields = (list) => list.find((field) => field && !field.disabled);
      const first = card && card.querySelector("[data-card] textarea, [data-card] input:not([type=hidden])");
      const last = wanted && [...next.querySelectorAll(wanted)].pop();
      const opened = next.dataset.open !== before;
      const target = fields([last, opened ? first : null, document.getElementById(held), first, card && card.querySelector("a"), next.querySelector("h1 + *, a")]);
      if (target) target.focus();
      if (opened && card) card.scrollIntoView({ block: "nearest" });
    };
    const send = (form, action, whole) => {
      count(1);
      queue = queue.then(async () => {
        const data = new URLSearchParams(new FormData(form));
        data.set("revision", editor().dataset.revision);
        if (action) data.set("do", action);
        try {
          const sent = await fetch(form.action, { method: "POST", body: data, keepalive: true });
          const page = new DOMParser().parseFromString(await sent.text(), "text/html"), next = page.getElementById("editor");
          if (!next) { location.assign(sent.url); count(-1); return; }
          if (whole || !sent.ok) {
            const added = /^(option|row)-add$/.test(action || "") ? 'input[name^="' + (action === "row-add" ? "row" : "opt") + '-"][name*="-text-"]' : null;
            replace(next, added);
            if (sent.ok) history.replaceState(null, "", sent.url);
          } else refresh(next);
          if (sent.ok) say(editor().dataset.saved, false);
        } catch (error) { say(editor().dataset.failed, true); }
        count(-1);
      });
      return queue;
    };
    document.addEventListener("submit", (event) => {
      const form = event.target, by = event.submitter;
      if (!form.closest("#editor") || !/\/edit(\/undo)?$/.test(new URL(form.action).pathname)) return;
      event.preventDefault();
      clearTimeout(typing);
      send(form, by && by.name === "do" ? by.value : null, true);
    });
    document.addEventListener("change", (event) => {
      const form = event.target.closest("form[data-card]");
      // A name is changed by its own button; other fields as they are left.
      if (!form || /^(id|new-language|to-page)$/.test(event.target.name)) return;
      clearTimeout(typing);
      send(form, "save", event.target.dataset.reload !== undefined);
    });
    document.addEventListener("input", (event) => {
      const form = event.target.closest("form[data-card]");
      if (!form) return;
      clearTimeout(typing);
      typing = setTimeout(async () => {
        const sent = await fetch(editor().dataset.phone, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
        if (!sent || !sent.ok) return;
        const part = new DOMParser().parseFromString(await sent.text(), "text/html").querySelector('[data-part="phone"]');
        const old = editor().querySelector('[data-part="phone"]');
        if (part && old) old.replaceWith(part);
      }, 300);
    });
    // A link is followed when all is saved.
    document.addEventListener("click", (event) => {
      const link = event.target.closest("#editor a[href]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      if (document.activeElement && document.activeElement.closest("form[data-card]")) document.activeElement.blur();
      queue.then(() => location.assign(link.href));
    });
    // A card is dragged by its handle: before another card, or to the end of a page.
    let dragged = null;
    const over = (event) => {
      const card = event.target.closest("#editor [data-item]"), page = event.target.closest("#editor [data-page]");
      document.querySelectorAll(".drop").forEach((place) => place.classList.remove("drop"));
      const place = card && card.dataset.item !== dragged ? card : page;
      if (place) place.classList.add("drop");
      return place;
    };
    document.addEventListener("dragstart", (event) => {
      const handle = event.target.closest ? event.target.closest(".handle") : null;
      if (!handle) return;
      dragged = handle.closest("[data-item]").dataset.item;
      event.dataTransfer.setData("text/plain", dragged);
      event.dataTransfer.effectAllowed = "move";
    });
    document.addEventListener("dragover", (event) => { if (dragged && over(event)) event.preventDefault(); });
    document.addEventListener("dragend", () => { dragged = null; document.querySelectorAll(".drop").forEach((place) => place.classList.remove("drop")); });
    document.addEventListener("drop", (event) => {
      if (!dragged) return;
      const place = over(event), card = document.querySelector('[data-item="' + CSS.escape(dragged) + '"]');
      if (!place || !card) return;
      event.preventDefault();
      const page = place.closest("[data-page]").dataset.page, before = place.dataset.item || "";
      send(card.querySelector("form.acts"), "move:" + page + "/" + before, true);
    });
  }
})();
