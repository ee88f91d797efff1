// Small helps of every page: whole addresses, buttons that copy, column help for every input device.
"use strict";

(() => {
  for (const each of document.querySelectorAll("[data-absolute]")) {
    each.textContent = new URL(each.dataset.absolute, location.origin).href;
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    const said = document.querySelector(`[data-copied="${button.dataset.copy}"]`);
    const words = button.textContent;
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      } catch {
        said.textContent = "The browser does not allow copying here.";
        return;
      }
      said.textContent = "Copied.";
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = words;
        said.textContent = "";
      }, 2000);
    });
  }

  // A table that fits leaves scrolling to the page, where its head stays in sight as well.
  for (const card of document.querySelectorAll(".table-card")) {
    const table = card.querySelector("table");
    const place = () => card.classList.toggle("fits", table.offsetWidth <= card.clientWidth);
    place();
    const watcher = new ResizeObserver(place);
    for (const each of [card, table]) watcher.observe(each);
    const move = () => card.classList.toggle("moved", card.scrollLeft > 0);
    card.addEventListener("scroll", move, { passive: true });
  }

  // What a title says, for keyboard and touch as well: shown on focus and hover, gone on Escape.
  // Screen readers have the same text by aria-describedby or as the title's description.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  let owner = null;
  const hide = () => {
    tip.hidden = true;
    owner = null;
  };
  const show = (target) => {
    if (target.title) {
      target.dataset.tip = target.title;
      if (!target.hasAttribute("aria-describedby")) target.setAttribute("aria-description", target.title);
      target.removeAttribute("title");
    }
    owner = target;
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const box = target.getBoundingClientRect();
    const left = box.left + box.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    const below = box.bottom + 8 + tip.offsetHeight < innerHeight;
    tip.style.top = `${below ? box.bottom + 8 : box.top - tip.offsetHeight - 8}px`;
  };
  const tipped = (node) => node.closest?.("[title], [data-tip]");
  document.addEventListener("mouseover", (event) => {
    const target = tipped(event.target);
    if (target && target.namespaceURI === "http://www.w3.org/1999/xhtml") show(target);
    else if (owner && owner !== document.activeElement) hide();
  });
  document.addEventListener("focusin", (event) => {
    const target = tipped(event.target);
    if (target && event.target.matches(":focus-visible")) show(target);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
})();
