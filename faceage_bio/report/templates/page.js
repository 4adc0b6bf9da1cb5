"use strict";
// text that a spreadsheet would run, with an apostrophe before it (core/user_files.py)
const harmless = (text) => (/^'*[=+\-@＝＋－＠]/.test(text) && !/^[+-]?(\d+\.?\d*(e[+-]?\d+)?)?%?$/i.test(text) ? "'" + text : text);
// all that is folded away, opened at once: to search in, and to print
for (const button of document.querySelectorAll("button.unfold")) {
  button.onclick = () => {
    const open = button.ariaPressed !== "true";
    for (const part of document.querySelectorAll("main details")) part.open = open;
    button.ariaPressed = open;
  };
}
// what a narrow screen moves sideways can be moved with the keyboard too
{
  const narrow = matchMedia("(max-width: 64rem)");
  const reach = () => { for (const figure of document.querySelectorAll("figure")) if (narrow.matches) figure.tabIndex = 0; else figure.removeAttribute("tabindex"); };
  if (narrow.matches) reach();
  narrow.addEventListener("change", reach);
  for (const words of document.querySelectorAll("pre")) words.tabIndex = 0;
  if (matchMedia("(max-width: 52rem)").matches) document.querySelector(".toc").open = false;
}
// the cohort that is shown; a link into another cohort's part shows that one
{
  const choices = [...document.querySelectorAll(".switch input")], parts = document.querySelectorAll(".cohort");
  const show = (name) => {
    document.body.classList.toggle("one-cohort", name !== "");
    for (const part of parts) part.classList.toggle("selected", part.dataset.cohort === name);
    for (const choice of choices) choice.checked = choice.value === name;
  };
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const cohort = target && target.closest(".cohort")?.dataset.cohort;
    if (cohort && document.body.classList.contains("one-cohort")) show(cohort);
  };
  if (choices.length) {
    for (const choice of choices) choice.addEventListener("change", () => show(choice.value));
    show(choices[0].value);
    follow();
    addEventListener("hashchange", follow);
  }
}
// where the reader is, in the sidebar
{
  const links = new Map([...document.querySelectorAll(".toc a")].map((link) => [link.hash.slice(1), link]));
  const heads = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  let waiting = false;
  const mark = () => {
    waiting = false;
    const above = heads.filter((head) => head.getClientRects().length && head.getBoundingClientRect().top < innerHeight / 3);
    const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const here = (end ? heads.filter((head) => head.getBoundingClientRect().top < innerHeight).at(-1) : above.at(-1)) ?? heads[0];
    for (const [id, link] of links) if (here?.id === id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  };
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } };
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  mark();
}
// tables: sorted by a click on a head, copied with a button
{
  const SMALL = { "⁰": 0, "¹": 1, "²": 2, "³": 3, "⁴": 4, "⁵": 5, "⁶": 6, "⁷": 7, "⁸": 8, "⁹": 9, "⁻": "-" };
  const value = (cell) => {
    const text = (cell?.textContent ?? "").trim().replace(/−/g, "-").replace(/(\d),(?=\d{3}\b)/g, "$1").replace(/ ?× ?10([⁻⁰¹²³⁴-⁹]+)/, (_, power) => "e" + [...power].map((one) => SMALL[one]).join(""));
    const found = /^(?:q |p |LRT )?(<|>)? ?([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i.exec(text);
    return found ? Number(found[2]) * (found[1] === "<" ? 0.999 : 1) : text;
  };
  // the cell of each column of a row, and the heads of the last line of the table's head by column
  const spread = (row) => [...row.cells].flatMap((cell) => Array(cell.colSpan).fill(cell));
  const heads = (table) => {
    const lines = [...table.tHead.rows];
    if (lines.length === 1) return spread(lines[0]).map((head, column) => head.colSpan === 1 ? [head, column] : null).filter(Boolean);
    const below = [...lines[1].cells];
    return spread(lines[0]).map((head, column) => [head.rowSpan > 1 ? head : below.shift(), column]).filter(([head]) => head);
  };
  const sort = (table, head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending", body = table.tBodies[0];
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.dataset.sorted = "";
    const rows = [...body.rows].map((row) => [value(spread(row)[column]), row]);
    const order = (a, b) => {
      const numbers = (typeof b === "number") - (typeof a === "number"); // what has no number stands last
      return numbers || (typeof a === "number" ? a - b : a.localeCompare(b)) * (down ? -1 : 1);
    };
    body.append(...rows.sort(([a], [b]) => order(a, b)).map(([, row]) => row));
  };
  const copy = async (table, button) => {
    const plain = table.cloneNode(true);
    for (const part of plain.querySelectorAll("svg, .hidden")) part.remove();
    const told = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
    for (const cell of plain.querySelectorAll("td, th")) if (harmless(told(cell)) !== told(cell)) cell.prepend("'");
    const lines = [...plain.rows].map((row) => [...row.cells].map(told).join("\t")).join("\n");
    try {
      await navigator.clipboard.write([new ClipboardItem({ "text/html": new Blob([plain.outerHTML], { type: "text/html" }), "text/plain": new Blob([lines], { type: "text/plain" }) })]);
    } catch { // without leave to write, or a place for more than text: what is selected is copied
      const selection = getSelection();
      selection.selectAllChildren(table);
      document.execCommand("copy");
      selection.removeAllRanges();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll("main table")) {
      const place = table.closest(".scroll") ?? table;
      let bar = place.nextElementSibling;
      if (!bar?.classList.contains("takes")) { bar = Object.assign(document.createElement("div"), { className: "takes" }); place.after(bar); }
      const button = Object.assign(document.createElement("button"), { type: "button", className: "take copy", textContent: "Copy" });
      button.setAttribute("aria-label", "Copy: " + (table.caption?.textContent ?? "table").slice(0, 120));
      button.onclick = () => copy(table, button);
      bar.prepend(button);
      if (table.closest(".explorer, .key") || !table.tHead || table.tBodies.length !== 1 || table.tBodies[0].rows.length < 3) continue;
      for (const [head, column] of heads(table)) {
        if (!head.textContent.trim()) continue;
        const press = Object.assign(document.createElement("button"), { type: "button", className: "sort" });
        press.append(...head.childNodes);
        head.append(press);
        press.onclick = () => sort(table, head, column);
      }
    }
  });
}
