// A word that is a link to the glossary, pointed at, focused or tapped: what it means, in a box beside it. The words are in
// glossary.js. The box stays while the pointer is in it; Escape closes it. A second tap, a click and Enter follow the link.
(() => {
  const box = document.createElement("div");
  let shown = null; // the link whose box is open
  let tapped = null; // the link that a finger touches, unless its box was open before
  let timer;

  const add = (parent, name, text, lang) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (lang) element.lang = lang;
    parent.append(element);
    return element;
  };

  function hide() {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
  }

  function show(link) {
    clearTimeout(timer);
    const entry = GLOSSARY[link.hash.slice(1)];
    if (!entry || link === shown) return;
    hide();
    shown = link;
    box.replaceChildren();
    const first = add(box, "p", "");
    add(first, "strong", entry.names);
    first.append(" ");
    add(first, "span", entry.chinese, "zh");
    add(box, "p", entry.meaning);
    add(box, "p", entry.in_chinese, "zh");
    const more = add(add(box, "p", ""), "a", "In the glossary");
    more.href = link.href;
    more.tabIndex = -1; // the word is the same link
    link.setAttribute("aria-describedby", box.id);
    box.hidden = false;
    place(link);
  }

  // Below the word, or above it where there is more room; within the window, and never on the word.
  function place(link) {
    const lines = [...link.getClientRects()], last = lines.at(-1);
    const width = document.documentElement.clientWidth, height = innerHeight, gap = 6;
    const left = Math.max(8, Math.min(last.left, width - box.offsetWidth - 8));
    const below = height - last.bottom >= box.offsetHeight + gap || height - last.bottom > lines[0].top;
    const top = below ? last.bottom + gap : lines[0].top - gap - box.offsetHeight;
    box.style.left = `${left + scrollX}px`;
    box.style.top = `${top + scrollY}px`;
  }

  const later = (what, milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(what, milliseconds);
  };
  const link = (event) => event.target.closest?.("a.term");

  addEventListener("DOMContentLoaded", () => {
    Object.assign(box, { id: "term", hidden: true });
    box.setAttribute("role", "tooltip");
    document.body.append(box);
  });
  addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    if (link(event)) later(() => show(link(event)), 150);
    else if (box.contains(event.target)) clearTimeout(timer);
    else if (!shown || shown !== document.activeElement) later(hide, 300);
  });
  addEventListener("focusin", (event) => {
    if (link(event)?.matches(":focus-visible")) show(link(event));
  });
  addEventListener("focusout", (event) => {
    if (link(event) === shown) hide();
  });
  addEventListener("pointerdown", (event) => {
    tapped = event.pointerType === "touch" && link(event) !== shown ? link(event) : null;
    if (!link(event) && !box.contains(event.target)) hide();
  });
  addEventListener("click", (event) => {
    if (!tapped || link(event) !== tapped) return;
    event.preventDefault();
    show(tapped);
    tapped = null;
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("resize", hide);
})();
