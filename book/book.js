// Outputs that are wider than a phone scroll: let the keyboard reach them.
addEventListener("load", () => {
  for (const box of document.querySelectorAll(".cell_output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
