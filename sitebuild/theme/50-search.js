// Search. The index is a script, because a page opened from a disk may not fetch data.
(() => {
  const dialog = document.querySelector(".search-dialog");
  if (!dialog) return;
  const { root, version } = document.documentElement.dataset;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector(".search-hits");
  const status = dialog.querySelector(".search-status");
  const limit = Number(dialog.dataset.limit);
  const keys = dialog.dataset.keys.split(" ");
  let loading;

  const load = () => {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `${root}site_libs/search.js?v=${version}`;
      script.onload = () => done(window.siteSearchIndex.map(prepared));
      script.onerror = () => failed(new Error("the search index is missing"));
      document.head.append(script);
    });
    return loading;
  };

  const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

  const prepared = (entry) => ({
    ...entry,
    plain: {
      title: plain(entry.title),
      section: plain(entry.section),
      text: plain(entry.text),
      categories: plain(entry.categories.join(" ")),
    },
  });

  const open = () => {
    load().then(search, () => { status.textContent = "The search index is missing."; });
    if (!dialog.open) dialog.showModal();
    input.select();
  };

  // How well a word stands in a text: at the beginning of a word is better than inside one.
  const times = (text, word) => {
    let count = 0;
    for (let at = text.indexOf(word); at >= 0 && count < 8; at = text.indexOf(word, at + word.length)) {
      count += at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1]) ? 1 : 0.3;
    }
    return count;
  };

  const score = (entry, words, phrase) => {
    let total = 0;
    for (const word of words) {
      const found = 12 * Math.min(1, times(entry.plain.title, word)) * (entry.section ? 0.4 : 1)
        + 9 * Math.min(1, times(entry.plain.section, word))
        + 5 * Math.min(1, times(entry.plain.categories, word))
        + Math.log2(1 + times(entry.plain.text, word));
      const inText = entry.plain.section.includes(word) || entry.plain.text.includes(word);
      if (!found || (entry.section && !inText)) return 0;
      total += found;
    }
    if (words.length > 1) {
      if (`${entry.plain.title} ${entry.plain.section}`.includes(phrase)) total += 8;
      if (entry.plain.text.includes(phrase)) total += 4;
    }
    return total;
  };

  const marked = (text, words) => {
    const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "giu");
    const pieces = [];
    let at = 0;
    for (const hit of text.matchAll(pattern)) {
      const mark = document.createElement("mark");
      mark.textContent = hit[0];
      pieces.push(text.slice(at, hit.index), mark);
      at = hit.index + hit[0].length;
    }
    return [...pieces, text.slice(at)];
  };

  const excerpt = (entry, words) => {
    const places = words.map((word) => entry.plain.text.indexOf(word)).filter((at) => at >= 0);
    const first = places.length ? Math.min(...places) : 0;
    const start = first < 70 ? 0 : entry.text.indexOf(" ", first - 60) + 1;
    const piece = entry.text.slice(start, start + 180);
    const end = start + 180 < entry.text.length ? piece.lastIndexOf(" ") : piece.length;
    return (start ? "… " : "") + piece.slice(0, end) + (end < piece.length || start + 180 < entry.text.length ? " …" : "");
  };

  const hit = (entry, words) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const head = document.createElement("b");
    const text = document.createElement("p");
    link.href = root + entry.href;
    head.append(...marked(entry.section || entry.title, words));
    if (entry.section) {
      const page = document.createElement("span");
      page.append(" · ", ...marked(entry.title, words));
      head.append(page);
    }
    text.append(...marked(excerpt(entry, words), words));
    link.append(head, text);
    link.addEventListener("click", () => {
      try { sessionStorage.setItem("search-words", JSON.stringify(words)); } catch { /* nothing is marked */ }
      dialog.close();
      if (link.pathname === location.pathname) mark();
    });
    item.append(link);
    return item;
  };

  // The page that a hit leads to shows the words that were looked for.
  const mark = () => {
    let words;
    try {
      words = JSON.parse(sessionStorage.getItem("search-words"));
      sessionStorage.removeItem("search-words");
    } catch { /* nothing was kept */ }
    if (!words || !window.Highlight) return;
    const ranges = [];
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.data.toLowerCase();
      for (const word of words) {
        for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(walker.currentNode, at);
          range.setEnd(walker.currentNode, at + word.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("search-words", new Highlight(...ranges));
  };
  mark();

  const search = async () => {
    const index = await load();
    const phrase = plain(input.value.trim());
    const words = phrase.split(/\s+/).filter(Boolean);
    const found = words.length
      ? index.map((entry) => [score(entry, words, phrase), entry]).filter(([points]) => points > 0)
      : [];
    found.sort((a, b) => b[0] - a[0]);
    list.replaceChildren(...found.slice(0, limit).map(([, entry]) => hit(entry, words)));
    list.scrollTop = 0;
    const more = found.length > limit ? `, the best ${limit} are shown` : "";
    status.textContent = !words.length ? "" : found.length
      ? `${found.length} ${found.length === 1 ? "place" : "places"}${more}`
      : `Nothing about “${input.value.trim()}”`;
  };

  document.querySelectorAll(".search-open").forEach((button) => button.addEventListener("click", open));
  input.addEventListener("input", () => { search(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      if (next < 0) input.focus();
      else links[Math.min(next, links.length - 1)]?.focus();
    } else if (event.key === "Enter" && event.target === input) {
      event.preventDefault();
      links[0]?.click();
    }
  });

  addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select, [contenteditable='true']");
    const command = (event.ctrlKey || event.metaKey) && event.key === "k";
    const plainKey = !event.ctrlKey && !event.metaKey && !event.altKey && keys.includes(event.key);
    if (command || (plainKey && !writing)) {
      event.preventDefault();
      open();
    }
  });
})();
