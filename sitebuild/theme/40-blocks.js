// Tabs, copy buttons, lists of pages, wide tables.
(() => {
  // Tabs: arrow keys, Home and End move; sets of one group move together, on every page.
  const key = (set) => `tabs-${set.dataset.group}`;
  const tabsOf = (set) => [...set.querySelector(":scope > [role='tablist']").children];

  const select = (set, tab) => {
    for (const other of tabsOf(set)) {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
    }
  };

  const selectByName = (set, name) => {
    const tab = tabsOf(set).find((one) => one.textContent === name);
    if (tab) select(set, tab);
  };

  const sets = [...document.querySelectorAll(".tabset")];
  for (const set of sets) {
    const tabs = tabsOf(set);
    tabs.forEach((tab, at) => {
      tab.addEventListener("click", () => {
        select(set, tab);
        if (!set.dataset.group) return;
        const before = tab.getBoundingClientRect().top;
        sets.filter((other) => other !== set && other.dataset.group === set.dataset.group)
          .forEach((other) => selectByName(other, tab.textContent));
        scrollBy(0, tab.getBoundingClientRect().top - before);
        try { localStorage.setItem(key(set), tab.textContent); } catch { /* not kept */ }
      });
      tab.addEventListener("keydown", (event) => {
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const next = tabs[(to + tabs.length) % tabs.length];
        next.focus();
        next.click();
      });
    });
    if (set.dataset.group) {
      try {
        const name = localStorage.getItem(key(set));
        if (name) selectByName(set, name);
      } catch { /* nothing was kept */ }
    }
  }

  // Copy buttons.
  const copy = async (text) => {
    if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? undefined : Promise.reject(new Error("not copied"));
  };

  for (const block of document.querySelectorAll("main div.sourceCode")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this code");
    button.addEventListener("click", async () => {
      try {
        await copy(block.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      button.classList.add("copied");
      setTimeout(() => {
        button.textContent = "Copy";
        button.classList.remove("copied");
      }, 1500);
    });
    block.append(button);
  }

  // Lists of pages, filtered by category.
  for (const list of document.querySelectorAll(".listing")) {
    const buttons = [...list.querySelectorAll(".listing-filter button")];
    const choose = (button) => {
      const category = button.dataset.category;
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      for (const entry of list.querySelectorAll(".listing-entry")) {
        entry.hidden = Boolean(category) && !JSON.parse(entry.dataset.categories).includes(category);
      }
    };
    buttons.forEach((button) => button.addEventListener("click", () => choose(button)));
    const fromAddress = () => {
      const named = buttons.find((button) => button.id && `#${button.id}` === decodeURIComponent(location.hash));
      if (named) choose(named);
    };
    addEventListener("hashchange", fromAddress);
    fromAddress();
  }

  // What scrolls sideways can be reached with the keyboard.
  const reach = () => {
    for (const box of document.querySelectorAll("main :is(.table-wrap, .cell-output-display, pre, .math-block)")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", reach);
  addEventListener("resize", reach);
})();
