// The first script of a live page: it says why the page is not live, or brings the rest.
(() => {
  const mount = document.getElementById("explorer");
  const here = new URL(".", document.currentScript.src);
  const say = (text) => {
    mount.textContent = "";
    mount.append(Object.assign(document.createElement("p"), { className: "explorer-absent", textContent: text }));
  };

  if (location.protocol === "file:") {
    say("A browser runs nothing live from a file. Run “make serve” and open this page there; the figure below is fixed.");
    return;
  }
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("explorer.css", here).href });
  const styled = new Promise((resolve) => { sheet.onload = sheet.onerror = resolve; });
  document.head.append(sheet);

  const build = new URL("build/", here);
  Promise.all([import(new URL("app.js", here).href), fetch(new URL("manifest.json", build)), styled])
    .then(async ([app, reply]) => {
      if (!reply.ok) throw new Error("the explorer was not collected: run “make site”");
      const manifest = await reply.json();
      if (!manifest.available) throw new Error(`the explorer was skipped when the site was built: ${manifest.reason}`);
      app.mount(mount, manifest, build);
    })
    .catch((error) => say(`This page is not live here: ${error.message}. The figure below is fixed.`));
})();
