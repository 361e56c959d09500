// What a footnote, a citation or a term of the glossary says, beside the link that leads to it.
(() => {
  const { citations, footnotes } = document.body.dataset;
  const kinds = [
    footnotes === "off" ? "" : "a.footnote-ref",
    citations === "off" ? "" : "a[role='doc-biblioref']",
    "a.term[title]",
  ].filter(Boolean);
  const links = document.querySelectorAll(kinds.map((kind) => `main ${kind}`).join(", "));
  if (!links.length) return;

  const note = Object.assign(document.createElement("div"), { className: "note-card", id: "note-card", hidden: true });
  note.setAttribute("role", "tooltip");
  document.body.append(note);
  let shown;
  let timer;

  // Copies lose their ids, and the way back that a note at the foot of the page has.
  const content = (link) => {
    if (link.dataset.definition) return [document.createTextNode(link.dataset.definition)];
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!target) return [];
    const copy = target.cloneNode(true);
    copy.querySelectorAll(".footnote-back").forEach((back) => back.remove());
    copy.querySelectorAll("[id]").forEach((element) => element.removeAttribute("id"));
    return [...copy.childNodes];
  };

  const hide = () => {
    clearTimeout(timer);
    note.hidden = true;
    shown?.removeAttribute("aria-describedby");
    shown = undefined;
  };

  const show = (link) => {
    const inside = content(link);
    if (shown === link || !inside.length) return;
    hide();
    note.replaceChildren(...inside);
    note.hidden = false;
    shown = link;
    link.setAttribute("aria-describedby", note.id);
    const at = link.getClientRects()[0];
    const edge = document.documentElement.clientWidth - note.offsetWidth - 12;
    const above = at.bottom + note.offsetHeight + 12 > innerHeight && at.top > note.offsetHeight + 12;
    note.style.left = `${scrollX + Math.max(12, Math.min(at.left, edge))}px`;
    note.style.top = `${scrollY + (above ? at.top - note.offsetHeight - 6 : at.bottom + 6)}px`;
  };

  const later = (action) => {
    clearTimeout(timer);
    timer = setTimeout(action, 180);
  };

  for (const link of links) {
    if (link.title) {
      link.dataset.definition = link.title;
      link.removeAttribute("title");
    }
    link.addEventListener("mouseenter", () => later(() => show(link)));
    link.addEventListener("mouseleave", () => later(hide));
    link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(link); });
    link.addEventListener("blur", hide);
  }
  note.addEventListener("mouseenter", () => clearTimeout(timer));
  note.addEventListener("mouseleave", () => later(hide));
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
