// What is wrong with the looks of the page that this is evaluated on.

// Elements that stick out of the window, other than inside a box that scrolls.
const tooWide = () => {
  const width = document.documentElement.clientWidth;
  const scrolls = (element) => element
    && (["auto", "hidden", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getClientRects().length && !element.closest(".drawer"))
    .filter((element) => element.getBoundingClientRect().right > width + 1 && !scrolls(element.parentElement))
    .map((element) => element.outerHTML.slice(0, 80));
};

// Texts with less contrast than WCAG 2 AA asks for, with the ratio.
const tooFaint = () => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] / 255 + b[i] * (1 - a[3] / 255)).concat(255);
  const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);

  const seen = (element, style) => element.getClientRects().length
    && style.visibility !== "hidden" && Number(style.opacity) > 0
    && !["SCRIPT", "STYLE"].includes(element.tagName) && !element.closest(".visually-hidden");

  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!text || !seen(element, style)) continue;
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    const ground = layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 255]);
    const [a, b] = [light(over(rgba(style.color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) poor.add(`${ratio.toFixed(2)} ${text.slice(0, 30)}`);
  }
  return [...poor];
};
