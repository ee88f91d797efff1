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
  const choices = filters ? [...filters.querySelectorAll("input[name=columns]")] : [];
  const sorting = filters?.elements.namedItem("sort") && filters.querySelector("input[name=sort]");

  const sort = (button) => {
    const asked = button.value;
    const descending = asked.startsWith("-");
    const header = button.closest("th");
    const index = header.cellIndex;
    const sign = descending ? -1 : 1;
    // Metrics are as they are written; what is no number is missing.
    const value = ({ cells: { [index]: cell } }) => parseFloat(cell.dataset.value ?? cell.textContent);
    const order = (a, b) => {
      const [left, right] = [value(a), value(b)];
      // Missing values stay last in either direction; ties are as on the board.
      if (isNaN(left) !== isNaN(right)) return isNaN(left) ? 1 : -1;
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
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    const unranked = document.getElementById("unranked");
    unranked.hidden = models(unranked).every((row) => row.hidden);
    document.getElementById("nothing").hidden = shown > 0;
    document.getElementById("count").textContent =
      narrowing().length ? `${shown} of ${table.dataset.of} models` : "";
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
    const single = keys.length === 1;
    table.classList.toggle("single", single);
    table.classList.toggle("cards", !single && !all);
    keep();
    if (single) refresh(); // for its ranks and intervals
  };

  // The address, in the shortest form, as the server writes it: first what narrows the board, then
  // how it is looked at.
  const ofFacts = new Set([...document.querySelectorAll("#fact-filters [name]")].map((each) => each.name));
  // Facts are filtered by the server: what is chosen of them counts once it `asks` for it.
  const narrowing = (asks = false) => [
    ...[...new FormData(filters)]
      .map(([name, value]) => [name, value.trim().replace(/\s+/g, " ")])
      .filter(([name, value]) => value && !["scoring", "sort", "columns"].includes(name))
      .filter(([name]) => asks || !ofFacts.has(name))
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
    ...(table.dataset.narrowing && !asks ? [table.dataset.narrowing] : []),
  ];
  const looks = () => {
    const keys = chosen();
    const columns = keys.length < choices.length ? keys.join(",") : table.matches(".cards") ? "all" : "";
    return [...(sorting.disabled ? [] : [`sort=${sorting.value}`]), ...(columns ? [`columns=${columns}`] : [])];
  };
  const join = (base, parts) =>
    parts.length ? `${base}${base.includes("?") ? "&" : "?"}${parts.join("&")}` : base;
  const address = (asks = false) => {
    const base = document.querySelector(".switch a[aria-current]")?.dataset.base ?? location.pathname;
    return join(base, [...narrowing(asks), ...looks()]);
  };
  const keep = () => {
    for (const link of document.querySelectorAll(".switch a[href]")) {
      link.href = join(link.dataset.base, [...narrowing(), ...looks()]);
    }
    for (const link of filters.querySelectorAll(".show a")) {
      link.href = join(link.dataset.base, narrowing());
    }
    history.replaceState(history.state, "", address() + location.hash);
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
    filters.addEventListener("submit", (event) => {
      if (event.submitter?.dataset.key) return; // an order of rows that the page does not have
      event.preventDefault();
      const asks = event.submitter?.hasAttribute("data-asks") ?? false;
      if (asks || !whole) location.assign(address(asks));
    });
    if (whole) search.addEventListener("input", filter);
    // Its models are ranked among themselves, by the server.
    filters.elements.track?.addEventListener("change", () => location.assign(address()));
    for (const choice of choices) choice.addEventListener("change", choose);
    for (const chooser of filters.querySelectorAll(".chooser")) {
      document.addEventListener("click", (event) => {
        if (!chooser.contains(event.target)) chooser.open = false;
      });
      chooser.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || !chooser.open) return;
        chooser.open = false;
        chooser.querySelector("summary").focus();
      });
    }
  }

  // ---- models to compare

  // Kept while this tab is open: also those that another view of the board does not hold.
  const compare = document.getElementById("compare");
  const kept = `compare-${compare?.elements.board.value}`;
  const recall = () => {
    try {
      return JSON.parse(sessionStorage.getItem(kept) ?? "[]");
    } catch {
      return []; // storage may be forbidden
    }
  };
  const picked = new Set(recall());
  const most = Number(compare?.dataset.most);
  const boxes = () => [...table.querySelectorAll("input[name=models]")];
  const showPicked = () => {
    const full = picked.size >= most;
    for (const box of boxes()) {
      box.checked = picked.has(box.value);
      box.disabled = full && !box.checked;
    }
    const size = picked.size;
    compare.classList.toggle("any", size > 0);
    document.getElementById("compare-count").textContent = ` · ${size}`;
    document.getElementById("picked").textContent =
      `${size} of up to ${most} chosen${full ? "; that is as many as can be told apart" : ""}.`;
  };
  const pick = () => {
    try {
      sessionStorage.setItem(kept, JSON.stringify([...picked]));
    } catch {
      // Then they are chosen on this page only.
    }
    showPicked();
    tell(document.getElementById("picked").textContent);
  };
  if (compare) {
    table.addEventListener("change", ({ target }) => {
      if (target.checked) picked.add(target.value);
      else picked.delete(target.value);
      pick();
    });
    const none = document.getElementById("unpick");
    none.hidden = false;
    none.addEventListener("click", () => {
      picked.clear();
      pick();
      boxes()[0]?.focus(); // what was focused is gone
    });
    compare.addEventListener("submit", (event) => {
      event.preventDefault();
      const query = new URLSearchParams(new FormData(compare));
      query.delete("models");
      location.assign(`${compare.action}?${query}&models=${[...picked].join(",")}`);
    });
    showPicked();
  }

  // ---- changes

  // The page of this address as it is now: its rows and facts replace the ones shown.
  const refresh = async () => {
    const asked = location.search;
    const answer = await fetch(location.pathname + asked, { cache: "no-cache" });
    if (answer.status === 503) { // others come first
      const seconds = Number(answer.headers.get("Retry-After")) || 10;
      await new Promise((done) => setTimeout(done, 1000 * seconds * (1 + Math.random())));
      return refresh();
    }
    if (!answer.ok) return;
    const text = await answer.text();
    if (location.search !== asked) return refresh(); // the reader chose another view in between
    const page = new DOMParser().parseFromString(text, "text/html");
    const news = page.getElementById("board");
    if (!filters || !news?.tBodies) {
      location.reload(); // the first entry, or the last one gone
      return;
    }
    const known = new Set(rows().map((row) => row.id));
    const focused = document.activeElement?.closest?.("tbody tr")?.id;
    const place = focused && focusable(document.getElementById(focused)).indexOf(document.activeElement);
    const fresh = [...news.tBodies];
    bodies().forEach((body, index) => body.replaceWith(document.adoptNode(fresh[index])));
    for (const id of ["facts", "evidence", "count"]) {
      const now = page.getElementById(id);
      if (now) document.getElementById(id)?.replaceWith(document.adoptNode(now));
    }
    for (const each of document.querySelectorAll("#evidence [data-absolute]")) {
      each.textContent = new URL(each.dataset.absolute, location.origin).href;
    }
    document.getElementById("live").hidden = false;
    let added = 0;
    for (const row of rows()) {
      if (known.has(row.id)) continue;
      row.classList.add("fresh");
      added += 1;
    }
    if (focused) focusable(document.getElementById(focused))[place]?.focus();
    showPicked();
    table.dataset.of = news.dataset.of;
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
