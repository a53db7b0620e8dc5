// Dark or light before anything is painted: what the system prefers, unless a person has chosen.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const apply = () => {
    root.dataset.theme = chosen() ?? (system.matches ? "dark" : "light");
  };
  system.addEventListener("change", apply);
  apply();
  globalThis.toggleTheme = () => {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      // What the system prefers anyway is no choice: it may change with the time of day.
      if ((next === "dark") === system.matches) localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch {
      // without storage the choice lasts as long as the page
    }
    root.dataset.theme = next;
    return next;
  };
})();
