"use strict";
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
