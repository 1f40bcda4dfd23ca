// Outputs that are wider than a phone scroll: let the keyboard reach them.
addEventListener("load", () => {
  for (const box of document.querySelectorAll(".cell_output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});

// On paper nothing can be opened: the answers of questions are open there, and closed again afterwards.
addEventListener("beforeprint", () => {
  for (const choice of document.querySelectorAll("details:not([open])")) {
    choice.open = true;
    addEventListener("afterprint", () => (choice.open = false), { once: true });
  }
});

// A tab that is chosen by the keys is chosen everywhere, as by a click (sphinx-design keeps it for the next page). It stays
// where it is in the window, though the tabs above it grow or shrink.
let clicked;
addEventListener("click", ({target}) => {
  if (target.matches(".sd-tab-set > label")) clicked = target.getBoundingClientRect().top;
}, true);
addEventListener("change", ({target}) => {
  if (!target.matches(".sd-tab-set > input")) return;
  const label = target.nextElementSibling, before = clicked ?? label.getBoundingClientRect().top;
  clicked = undefined;
  label.onclick?.();
  scrollBy({top: label.getBoundingClientRect().top - before, behavior: "instant"});
});
