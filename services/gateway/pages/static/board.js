// A board's page: sorts, filters, hides columns; keeps all of it in the address; follows the board.
//
// The server renders every view itself. So what is done here is done on the rows that it sent, and
// when the board changes, the page of the present address is fetched and its rows are taken over.
"use strict";

(() => {
  const table = document.getElementById("board");
  if (!table) return;
  const announced = document.getElementById("announced");
  let shown = { snapshot: Number(table.dataset.snapshot), measured: "measured" in table.dataset };
  // Of a large board the page has the first rows of its view: another view is asked of the server.
  const whole = table.dataset.cut === undefined;

  // Who comes back finds the place in the table again: browsers keep that of the page alone.
  const card = table.closest(".table-card");
  card?.addEventListener("scrollend", () => {
    history.replaceState({ left: card.scrollLeft, top: card.scrollTop }, "");
  });
  if (history.state?.top !== undefined) card?.scrollTo(history.state.left, history.state.top);

  // ---- the view

  const filters = document.getElementById("filters");
  // The ranked models, and below them those without any value, which stay there however it is sorted.
  const bodies = () => [...table.tBodies];
  const models = (body) => [...body.rows].filter((row) => row.id);
  const rows = () => bodies().flatMap(models);
  const headers = () => [...table.tHead.rows[1].cells];
  const sorters = filters ? [...table.tHead.querySelectorAll("button[data-key]")] : [];
  const search = filters?.elements.q;
  const track = filters?.elements.track;
  const choices = filters ? [...filters.querySelectorAll("input[name=columns]")] : [];
  const sorting = filters?.elements.namedItem("sort") && filters.querySelector("input[name=sort]");

  const sort = (button) => {
    const asked = button.value;
    const descending = asked.startsWith("-");
    const header = button.closest("th");
    const index = header.cellIndex;
    const sign = descending ? -1 : 1;
    const value = (row) => row.cells[index].dataset.value;
    const order = (a, b) => {
      const [left, right] = [value(a), value(b)];
      // Missing values stay last in either direction; ties are as on the board.
      if ((left === "") !== (right === "")) return left === "" ? 1 : -1;
      return sign * (left - right) || a.dataset.place - b.dataset.place;
    };
    for (const body of bodies()) body.append(...models(body).sort(order));
    for (const each of sorters) {
      const key = each.dataset.key;
      const first = key === "date" || choices.some((choice) => choice.value === key) ? `-${key}` : key;
      const other = first === key ? `-${key}` : key;
      each.value = asked === first ? other : first;
    }
    for (const each of headers()) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    for (const row of rows()) {
      for (const cell of row.cells) cell.classList.toggle("sorted", cell.cellIndex === index && index > 3);
    }
    sorting.value = asked;
    sorting.disabled = asked === "rank";
    tell(`Sorted by ${button.getAttribute("aria-label")}, ${header.getAttribute("aria-sort")}.`);
    keep();
  };

  const filter = () => {
    // As the server writes what is searched: composed, every dash as "-", in lower case.
    const typed = search.value.normalize("NFC").replace(/[\p{Pd}\u2212]/gu, "-");
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows()) {
      const text = row.dataset.text;
      row.hidden =
        Boolean(track?.value && row.dataset.track !== track.value) ||
        !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    const unranked = document.getElementById("unranked");
    unranked.hidden = models(unranked).every((row) => row.hidden);
    document.getElementById("nothing").hidden = shown > 0;
    tell(`${shown} ${shown === 1 ? "model" : "models"} shown.`);
    keep();
  };

  const chosen = () => {
    const keys = choices.filter((choice) => choice.checked).map((choice) => choice.value);
    return keys.length ? keys : choices.map((choice) => choice.value);
  };

  const choose = () => {
    const keys = chosen();
    for (const cell of table.querySelectorAll("[data-column]")) {
      cell.hidden = !keys.includes(cell.dataset.column);
    }
    for (const group of table.tHead.rows[0].querySelectorAll("[data-group]")) {
      const wide = headers().filter(
        (header) => header.dataset.group === group.dataset.group && !header.hidden,
      ).length;
      group.hidden = wide === 0;
      if (wide) group.colSpan = wide;
    }
    const all = keys.length === choices.length;
    document.getElementById("column-count").textContent = all ? "" : ` · ${keys.length} of ${choices.length}`;
    keep();
  };

  // The address, in the shortest form, as the server writes it.
  const keep = () => {
    const parts = [];
    const q = search.value.trim().replace(/\s+/g, " ");
    if (q) parts.push(`q=${encodeURIComponent(q)}`);
    if (track?.value) parts.push(`track=${encodeURIComponent(track.value)}`);
    if (!sorting.disabled) parts.push(`sort=${sorting.value}`);
    const keys = chosen();
    if (keys.length < choices.length) parts.push(`columns=${keys.join(",")}`);
    const view = parts.join("&");
    const join = (base) => (view ? `${base}${base.includes("?") ? "&" : "?"}${view}` : base);
    for (const link of document.querySelectorAll(".switch a[href]")) {
      link.href = join(link.dataset.base);
    }
    const here = join(document.querySelector(".switch a[aria-current]")?.dataset.base ?? location.pathname);
    history.replaceState(history.state, "", here + location.hash);
  };

  const tell = (text) => {
    if (announced) announced.textContent = text;
  };

  if (filters) {
    for (const button of sorters) {
      button.addEventListener("click", (event) => {
        if (!whole) return;
        event.preventDefault();
        sort(button);
      });
    }
    filters.addEventListener("submit", (event) => whole && event.preventDefault());
    if (whole) search.addEventListener("input", filter);
    track?.addEventListener("change", () => (whole ? filter() : filters.requestSubmit()));
    for (const choice of choices) choice.addEventListener("change", choose);
    const chooser = filters.querySelector(".chooser");
    document.addEventListener("click", (event) => {
      if (!chooser.contains(event.target)) chooser.open = false;
    });
    chooser.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !chooser.open) return;
      chooser.open = false;
      chooser.querySelector("summary").focus();
    });
  }

  // ---- models to compare

  const count = document.getElementById("compare-count");
  const picked = () => rows().flatMap((row) => [...row.querySelectorAll("input:checked")]).map((box) => box.value);
  const countPicked = () => {
    const number = picked().length;
    count.textContent = number ? ` · ${number}` : "";
  };
  if (count) {
    table.addEventListener("change", countPicked);
    countPicked();
  }

  // ---- changes

  // The page of this address as it is now: its rows and facts replace the ones shown.
  const refresh = async () => {
    const answer = await fetch(location.pathname + location.search, { cache: "no-cache" });
    if (answer.status === 503) { // others come first
      const seconds = Number(answer.headers.get("Retry-After")) || 10;
      await new Promise((done) => setTimeout(done, 1000 * seconds * (1 + Math.random())));
      return refresh();
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const news = page.getElementById("board");
    if (!filters || !news?.tBodies) {
      location.reload(); // the first entry, or the last one gone
      return;
    }
    const known = new Set(rows().map((row) => row.id));
    const checked = new Set(picked());
    const focused = document.activeElement?.closest?.("tbody tr")?.id;
    const place = focused && focusable(document.getElementById(focused)).indexOf(document.activeElement);
    const fresh = [...news.tBodies];
    bodies().forEach((body, index) => body.replaceWith(document.adoptNode(fresh[index])));
    for (const id of ["facts", "evidence"]) {
      const now = page.getElementById(id);
      if (now) document.getElementById(id)?.replaceWith(document.adoptNode(now));
    }
    for (const each of document.querySelectorAll("#evidence [data-absolute]")) {
      each.textContent = new URL(each.dataset.absolute, location.origin).href;
    }
    document.getElementById("live").hidden = false;
    let added = 0;
    for (const row of rows()) {
      for (const box of row.querySelectorAll("input")) box.checked = checked.has(box.value);
      if (known.has(row.id)) continue;
      row.classList.add("fresh");
      added += 1;
    }
    if (focused) focusable(document.getElementById(focused))[place]?.focus();
    countPicked();
    tell(added ? `The board has ${added} new ${added === 1 ? "model" : "models"}.` : "The board was updated.");
  };
  const focusable = (row) => (row ? [...row.querySelectorAll("a, input")] : []);

  // One refresh at a time; what comes during it is caught up with afterwards. A crowd of open pages
  // does not ask in the same instant.
  let wanted = shown;
  const behind = () =>
    wanted.snapshot > shown.snapshot ||
    (wanted.snapshot === shown.snapshot && wanted.measured && !shown.measured);
  let busy = false;
  const follow = async () => {
    if (busy) return;
    busy = true;
    try {
      while (behind()) {
        const target = wanted;
        await new Promise((done) => setTimeout(done, Math.random() * 300));
        await refresh();
        shown = target;
      }
    } catch {
      // The network failed: the stream comes back, and says again what is new.
    } finally {
      busy = false;
    }
  };

  if ("past" in table.dataset) return; // it stays as it is
  // A tab that nobody looks at listens to nothing: browsers open few connections to one host.
  const AGAIN = 10_000;
  let events = null;
  let waiting = 0;
  const live = (on) => {
    document.getElementById("live").hidden = !on;
  };
  const listen = () => {
    clearTimeout(waiting);
    if (events || document.hidden) return;
    events = new EventSource(table.dataset.events);
    events.addEventListener("open", () => live(true));
    events.addEventListener("error", () => {
      live(false);
      if (events?.readyState !== EventSource.CLOSED) return; // it tries again by itself
      stop();
      waiting = setTimeout(listen, AGAIN * (1 + Math.random()));
    });
    events.addEventListener("board", (event) => {
      const news = JSON.parse(event.data);
      const scoring = table.dataset.scoring;
      wanted = { snapshot: news.snapshots[scoring] ?? 0, measured: news.statistics[scoring] };
      follow();
    });
  };
  const stop = () => {
    clearTimeout(waiting);
    events?.close();
    events = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  listen();
})();
