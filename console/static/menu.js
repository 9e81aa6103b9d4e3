// Brings the page's own place in the bar into sight, where the bar is scrolled. Closes the menu of the bar: by a click elsewhere, by Escape, or when what has the focus lies outside. Without this it closes by a click on itself.
(function () {
  "use strict";
  const current = document.querySelector(".places [aria-current]");
  // The counters come later than the page, and push aside what stands after them.
  if (current) new ResizeObserver(() => current.scrollIntoView({ block: "nearest", inline: "nearest" })).observe(document.querySelector(".todo"));
  const menu = document.querySelector("details.rest");
  if (!menu) return;
  const close = (event) => { if (menu.open && !menu.contains(event.target)) menu.open = false; };
  document.addEventListener("click", close);
  document.addEventListener("focusin", close);
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
