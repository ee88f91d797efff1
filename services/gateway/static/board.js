// Sorts the board by a column. Missing values stay last in either direction; ties keep their rank.
"use strict";

(() => {
  const table = document.getElementById("board");
  if (!table) return;
  const body = table.tBodies[0];
  const status = document.getElementById("sorted");
  const headers = [...table.tHead.rows[1].cells];
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const compare = (kind, sign, index) => (a, b) => {
    const left = a.cells[index].dataset.value;
    const right = b.cells[index].dataset.value;
    if (left === "" || right === "") {
      if (left !== right) return left === "" ? 1 : -1;
    } else {
      const order = kind === "number" ? left - right : collator.compare(left, right);
      if (order !== 0) return sign * order;
    }
    return a.dataset.rank - b.dataset.rank;
  };

  const sort = (index) => {
    const header = headers[index];
    const button = header.querySelector("button");
    const { kind, first } = button.dataset;
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].sort(compare(kind, sign, index));
    body.append(...rows);
    for (const each of headers) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    for (const row of rows) {
      for (const cell of row.cells) cell.classList.toggle("sorted", cell.cellIndex === index);
    }
    status.textContent = `Sorted by ${button.getAttribute("aria-label")}, ${direction}.`;
  };

  headers.forEach((header, index) => {
    const button = header.querySelector("button");
    if (button) button.addEventListener("click", () => sort(index));
  });
})();
