// The pages of a submission, its state and its verdicts: shows the owner everything, follows what happens, asks for the judge.
//
// The owner token comes in the address's fragment, which no server sees, and is kept in this
// browser; it is sent as a header only. News arrive as events, and then the page itself is fetched
// again: the server renders, we take over.
"use strict";

(() => {
  const area = () => document.getElementById("submission");
  const { id, page: pageAddress, events, withdraw, judge, facts } = area().dataset;
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    ownTokens.keep(id, given, "");
    history.replaceState(null, "", location.pathname + location.search);
  }
  let token = ownTokens.of(id) ?? given;
  // Who is signed in shows the page's own token, which no other site knows.
  const headers = () => {
    if (token) return { Authorization: `Bearer ${token}` };
    const { formToken } = area().dataset;
    return formToken ? { "X-Form-Token": formToken } : {};
  };

  // ---- the newest state

  const refresh = async () => {
    const answer = await fetch(location.pathname + location.search, { headers: headers(), cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const news = page.getElementById("submission");
    if (!news) return answer.status;
    const open = [...area().querySelectorAll("details[open] > summary")].map((each) => each.textContent);
    const focused = document.activeElement?.id;
    // News of the submission come at any time; what its owner types stays.
    const form = document.getElementById("state-facts");
    if (edited(form).length > 0) news.querySelector("#state-facts")?.replaceWith(form);
    area().replaceWith(document.adoptNode(news));
    document.title = page.title;
    for (const summary of area().querySelectorAll("details > summary")) {
      if (open.includes(summary.textContent)) summary.parentElement.open = true;
    }
    if (focused) document.getElementById(focused)?.focus();
    if (area().dataset.owner === "yes" && token) ownTokens.keep(id, token, area().dataset.name);
    showToken();
    follow();
    return answer.status;
  };

  // One at a time, and not more often than can be read.
  const PAUSE = 400;
  let running = false;
  let again = false;
  const look = async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      try {
        await refresh();
      } catch {
        // The stream comes back when the network does.
      }
      await new Promise((done) => setTimeout(done, PAUSE));
    } while (again);
    running = false;
  };

  // Read by fetch, since an EventSource sends no Authorization, without which a submission that is
  // for its owner's eyes only has no events. What an event says is not needed: the page is asked.
  let stream = null;
  let lastId = "";
  const listen = async (signal) => {
    const resume = lastId ? { "Last-Event-ID": lastId } : {};
    const answer = await fetch(events, { headers: { ...headers(), ...resume }, signal });
    if (!answer.ok) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r?\n/);
      rest = lines.pop();
      const ids = lines.filter((line) => line.startsWith("id: "));
      if (ids.length === 0) continue;
      lastId = ids.at(-1).slice(4);
      look();
    }
  };
  const follow = () => {
    const busy = area().dataset.busy === "yes" && !document.hidden;
    if (busy && !stream) {
      stream = new AbortController();
      const { signal } = stream;
      (async () => {
        while (!signal.aborted) {
          await listen(signal).catch(() => {}); // the network failed, or we are leaving
          if (!signal.aborted) await new Promise((done) => setTimeout(done, 2000));
        }
      })();
    } else if (!busy && stream) {
      stream.abort();
      stream = null;
    }
  };
  // A tab that nobody looks at listens to nothing: browsers open few connections to one host.
  document.addEventListener("visibilitychange", () => (document.hidden ? follow() : look()));
  addEventListener("pagehide", () => {
    stream?.abort();
    stream = null;
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) look();
  });

  // ---- the owner token

  const showToken = () => {
    const owner = area().dataset.owner === "yes";
    document.getElementById("token-card").hidden = owner && !token; // signed in
    document.getElementById("has-token").hidden = !owner || !token;
    document.getElementById("give-token").hidden = owner;
  };
  document.getElementById("give-token").addEventListener("submit", async (event) => {
    event.preventDefault();
    token = document.getElementById("token").value.trim();
    const status = await refresh();
    if (status === 200) {
      ownTokens.keep(id, token, area().dataset.name);
      return;
    }
    token = null;
    document.getElementById("token-refused").textContent =
      "This is not the submission's owner token. Check that it was copied whole.";
  });
  document.getElementById("copy-link").addEventListener("click", async () => {
    const said = document.getElementById("token-said");
    try {
      await navigator.clipboard.writeText(`${new URL(pageAddress, location.origin)}#token=${token}`);
      said.textContent = "Copied. Anyone with this link may steer the submission.";
    } catch {
      said.textContent = "The browser does not allow copying here.";
    }
  });
  document.getElementById("forget").addEventListener("click", () => {
    ownTokens.forget(id);
    location.reload();
  });

  // ---- withdrawing

  document.addEventListener("submit", async (event) => {
    if (event.target.id !== "withdraw") return;
    event.preventDefault();
    const note = document.getElementById("note").value.trim();
    const answer = await fetch(withdraw, {
      method: "POST",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: JSON.stringify(note ? { note } : {}),
    });
    if (answer.ok) {
      await refresh();
      return;
    }
    complain("withdraw-said", await answer.json().catch(() => ({})));
  });

  const complain = (place, problem) => {
    const said = document.getElementById(place);
    said.textContent = `${problem.detail ?? "That did not work."} ${problem.fix ?? ""}`;
    said.hidden = false;
  };

  // ---- facts of the model

  // Blank is unknown: null. Numbers and yes or no become what JSON has for them.
  const factOf = (fields) => {
    const [first] = fields;
    if (first.dataset.kind === "list") {
      const ticked = fields.filter((field) => field.checked).map((field) => field.value);
      if (ticked.length === 0) return null;
      return ticked.length === 1 && ticked[0] === "none" ? [] : ticked;
    }
    const text = first.value.trim();
    if (!text) return null;
    if (first.dataset.kind === "number") return Number(text);
    return first.dataset.kind === "truth" ? text === "true" : text;
  };
  const isEdited = (field) => {
    if (field.type === "checkbox") return field.checked !== field.defaultChecked;
    if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
    const shown = [...field.options].findIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(shown, 0);
  };
  const edited = (form) => [...(form?.querySelectorAll("[data-kind]") ?? [])].filter(isEdited);
  document.addEventListener("submit", async (event) => {
    if (event.target.id !== "state-facts") return;
    event.preventDefault();
    const fields = [...event.target.querySelectorAll("[data-kind]:enabled")];
    // What was not edited stays: somebody else may have changed it since the page was loaded.
    const names = [...new Set(edited(event.target).map((field) => field.name))];
    const stated = Object.fromEntries(
      names.map((name) => [name, factOf(fields.filter((field) => field.name === name))]),
    );
    const answer = await fetch(facts, {
      method: "PATCH",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: JSON.stringify(stated),
    });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const [wrong] = found.errors ?? [];
      const where = wrong ? `${wrong.path.replace("$.", "")}: found ${wrong.found}, expected ${wrong.expected}.` : "";
      complain("facts-said", where ? { detail: where, fix: wrong.fix } : found);
      return;
    }
    event.target.reset();
    await refresh();
    complain("facts-said", { detail: found.changed ? "The facts are changed." : "They were so before." });
  });

  // ---- the judge

  document.addEventListener("click", async (event) => {
    if (!["ask-judge", "ask-judge-fast"].includes(event.target.id)) return;
    const fast = event.target.id === "ask-judge-fast";
    event.target.disabled = true;
    const answer = await fetch(judge, {
      method: "POST",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: JSON.stringify({ fast }),
    });
    if (answer.ok) {
      await refresh();
      return;
    }
    complain("judge-said", await answer.json().catch(() => ({})));
    event.target.disabled = false;
  });

  showToken();
  if (token) look();
  else follow();
})();
