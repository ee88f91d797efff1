// Keeps the choice of models within what can be drawn, and says how many there are.
"use strict";

(() => {
  const form = document.getElementById("picker");
  if (!form) return;
  const most = Number(form.dataset.most);
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    for (const box of boxes) box.disabled = !box.checked && chosen >= most;
    document.getElementById("picked").textContent =
      chosen >= most ? `${chosen} models chosen; that is as many as can be told apart.` : "";
  };
  form.addEventListener("change", count);
  count();
})();
