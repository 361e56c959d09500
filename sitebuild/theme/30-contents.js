// "On this page" follows the reader; a button leads back to the top.
(() => {
  const links = [...document.querySelectorAll(".toc a[href^='#']")];
  const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));

  const follow = () => {
    const edge = 0.2 * innerHeight;
    let current = 0;
    targets.forEach((target, at) => {
      if (target?.offsetParent && target.getBoundingClientRect().top <= edge) current = at;
    });
    const bottom = scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
    if (bottom) {
      const wanted = targets.findIndex((target) => target && `#${target.id}` === decodeURIComponent(location.hash));
      const seen = wanted >= 0 && targets[wanted].getBoundingClientRect().top >= 0;
      current = seen ? wanted : links.length - 1;
    }
    links.forEach((link, at) => {
      link.classList.toggle("here", at === current);
      if (at === current) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    });
    const box = links[current].closest(".toc");
    const top = links[current].offsetTop - box.offsetTop;
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 60) box.scrollTop = top - box.clientHeight / 2;
  };

  const up = document.querySelector(".back-to-top");
  let last = scrollY;
  const offer = () => {
    up.hidden = !(scrollY > 2 * innerHeight && scrollY < last);
    last = scrollY;
  };

  let waiting = false;
  const onScroll = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (links.length) follow();
      if (up) offer();
    });
  };

  addEventListener("scroll", onScroll, { passive: true });
  addEventListener("resize", onScroll);
  onScroll();

  // A link into a folded block opens it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let box = target && target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    const panel = target && target.closest("[role='tabpanel'][hidden]");
    if (panel) document.getElementById(panel.getAttribute("aria-labelledby")).click();
    if (target && (panel || target.closest("details"))) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  addEventListener("load", unfold);

  // Printed, every fold is open.
  addEventListener("beforeprint", () => document.querySelectorAll("main details:not([open])").forEach((box) => {
    box.open = true;
    box.dataset.reclose = "";
  }));
  addEventListener("afterprint", () => document.querySelectorAll("[data-reclose]").forEach((box) => {
    box.open = false;
    delete box.dataset.reclose;
  }));
})();
