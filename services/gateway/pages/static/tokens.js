// The owner tokens that this browser keeps, newest first: they never travel in an address's query.
"use strict";

const ownTokens = (() => {
  // Leaderboards below paths of one host share its storage.
  const KEY = `medvid.submissions${document.documentElement.dataset.site.slice(0, -1)}`;
  const MOST = 50;
  const all = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept.filter((each) => each && each.id && each.token) : [];
    } catch {
      return []; // storage may be forbidden, or hold what is not ours
    }
  };
  const store = (list) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(list.slice(0, MOST)));
      return true;
    } catch {
      return false;
    }
  };
  return {
    all,
    of: (id) => all().find((each) => each.id === id)?.token ?? null,
    keep: (id, token, name) => {
      const before = all().find((each) => each.id === id);
      const at = before?.at ?? new Date().toISOString();
      const kept = { id, token, name: name || before?.name || "", at };
      return store([kept, ...all().filter((each) => each.id !== id)]);
    },
    forget: (id) => store(all().filter((each) => each.id !== id)),
  };
})();
