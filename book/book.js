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
