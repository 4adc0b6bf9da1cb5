# Golden values for tests/stats/test_stats_cox.py: curves of a skewed variable, and terms that are almost combinations of others.
# Here: Rscript golden.R. Debian packages r-base-core, r-cran-survival; pbc ships with survival (LGPL).
suppressMessages({library(survival); library(splines)})
options(digits = 17, warn = -1)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
d <- with(pbc[!is.na(pbc$bili), ], data.frame(time = time, event = +(status == 2), bili = bili, age = round(age, 4), albumin = albumin))
con <- file("pbc.tsv", "w"); writeLines("# R survival::pbc (Therneau and Grambsch 2000), all 418 people", con)
write.table(d, con, sep = "\t", row.names = FALSE, quote = FALSE); close(con)
tight <- coxph.control(eps = 1e-14, iter.max = 60)
lines <- coxph(Surv(time, event) ~ bili, d, control = tight)
for (df in 2:5) {
  m <- coxph(Surv(time, event) ~ ns(bili, df), d, control = tight)
  add(paste("spline", df), c(lines$loglik[2], m$loglik[2], 2 * (m$loglik[2] - lines$loglik[2]), concordance(m)$concordance))
  z <- cox.zph(m); add(paste("spline zph", df), z$table["GLOBAL", ])
}
# age + 10^-k times noise beside age: from some k on R gives the second no coefficient
noise <- sin(seq_len(nrow(d)) * 12.9898)
for (k in seq(2, 9, by = 0.5)) {
  d$twin <- d$age + 10^-k * noise
  for (right in c("age + twin", "twin + age + albumin", "bili + age + albumin + twin")) {
    m <- coxph(as.formula(paste("Surv(time, event) ~", right)), d, control = tight)
    add(paste("twin", right, k), c(sum(is.na(coef(m))), m$loglik[2], coef(m)[1], sqrt(vcov(m)[1, 1])))
  }
}
# tests of all terms together: likelihood ratio, Wald, score
m <- coxph(Surv(time, event) ~ bili + age + albumin, d, control = tight)
add("global", c(2 * diff(m$loglik), m$wald.test, m$score))
d$place <- seq_len(nrow(d)) %% 60
m <- coxph(Surv(time, event) ~ bili + age + albumin, d, cluster = place, control = tight)
add("global clustered", c(2 * diff(m$loglik), m$wald.test, m$score))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival"))), "versions.txt")
