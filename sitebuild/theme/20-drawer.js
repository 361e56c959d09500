// The menu of narrow windows, and the menus of the navbar.
(() => {
  const drawer = document.getElementById("drawer");
  const backdrop = document.querySelector(".drawer-backdrop");
  const opener = document.querySelector(".drawer-open");
  const behind = [document.querySelector("main"), document.querySelector(".navbar"), document.querySelector(".footer")];

  const shown = () => document.body.classList.contains("drawer-shown");

  const show = (on) => {
    document.body.classList.toggle("drawer-shown", on);
    backdrop.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
    for (const element of behind) if (element) element.inert = on;
    (on ? drawer.querySelector(".drawer-close") : opener).focus();
  };

  opener.addEventListener("click", () => show(true));
  drawer.querySelector(".drawer-close").addEventListener("click", () => show(false));
  backdrop.addEventListener("click", () => show(false));
  matchMedia("(max-width: 56rem)").addEventListener("change", () => { if (shown()) show(false); });
  drawer.addEventListener("click", (event) => {
    if (shown() && event.target.closest("a[href], .search-open")) show(false);
  });

  const menus = [...document.querySelectorAll("details.menu")];
  const closeMenus = (but) => menus.forEach((menu) => { if (menu !== but) menu.open = false; });
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = menus.find((menu) => menu.open);
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (shown()) {
      show(false);
    }
  });

  // A long sidebar opens where the reader is.
  const here = drawer.querySelector(".sidebar [aria-current='page']");
  if (here) drawer.scrollTop = Math.max(0, here.offsetTop - drawer.clientHeight / 2);
})();
