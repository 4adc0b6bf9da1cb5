"use strict";
// a link into something folded away opens it
const open = () => {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  let folded = false;
  for (let part = place.closest("details"); part; part = part.parentElement.closest("details")) { folded ||= !part.open; part.open = true; }
  if (folded) place.scrollIntoView();
};
addEventListener("hashchange", open);
open();
// on paper nothing is folded away
{
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of folded) part.open = false; });
}
// what a narrow screen moves sideways can be moved with the keyboard too
{
  const narrow = matchMedia("(max-width: 40rem)");
  const reach = () => { for (const figure of document.querySelectorAll("figure")) if (narrow.matches) figure.tabIndex = 0; else figure.removeAttribute("tabindex"); };
  if (narrow.matches) reach();
  narrow.addEventListener("change", reach);
  for (const words of document.querySelectorAll("pre")) words.tabIndex = 0;
}
