// Light or dark: the system's choice until the reader makes one.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };

  const show = (theme) => {
    root.dataset.theme = theme;
    document.body.classList.remove("quarto-light", "quarto-dark");
    document.body.classList.add(`quarto-${theme}`);
  };

  document.querySelector(".theme-toggle").addEventListener("click", () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    show(theme);
    try { localStorage.setItem("theme", theme); } catch { /* it holds for this page alone */ }
  });

  system.addEventListener("change", () => {
    if (!stored()) show(system.matches ? "dark" : "light");
  });

  const reader = document.querySelector(".reader-toggle");
  reader?.addEventListener("click", () => {
    reader.setAttribute("aria-pressed", String(document.body.classList.toggle("reader")));
  });
})();
