# Golden values for tests/stats/test_stats_survival_curves.py. In the top folder: python -m tests.golden.survival_curves.data; then here:
# Rscript golden.R. Debian packages r-base-core, r-cran-survival, r-cran-cmprsk.
suppressMessages({library(survival); library(cmprsk)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
chi <- function(x, df) c(x, df, pchisq(x, df, lower.tail = FALSE))
lung <- read.csv("lung.csv"); half <- read.csv("half.csv"); heart <- read.csv("heart.csv"); late <- read.csv("late.csv")
types <- c("log-log", "log", "plain")
# curves: heights and intervals at fixed days, quartiles, medians as printed, at each type; of everybody, and with delayed entry
printed <- function(f) summary(f)$table[c("median", "0.95LCL", "0.95UCL")]
curve <- function(name, make, days) for (type in types) {
  f <- make(type); s <- summary(f, times = days)
  add(paste(name, type, "survival"), s$surv); add(paste(name, type, "error"), s$std.err); add(paste(name, type, "risk"), s$n.risk)
  add(paste(name, type, "lower"), s$lower); add(paste(name, type, "upper"), s$upper)
  q <- quantile(f, c(0.25, 0.5, 0.75)); add(paste(name, type, "quantiles"), t(rbind(q$quantile, q$lower, q$upper)))
  add(paste(name, type, "median"), printed(f))
}
curve("lung", function(type) survfit(Surv(time, status) ~ 1, lung, conf.type = type), c(50, 183, 365, 700))
curve("lung ecog 2", function(type) survfit(Surv(time, status) ~ 1, lung, subset = ecog == 2, conf.type = type), c(50, 183, 365))
curve("late", function(type) survfit(Surv(start, time, status) ~ 1, late, conf.type = type), c(20, 100, 365, 700))
curve("heart", function(type) survfit(Surv(start, stop, event) ~ 1, heart, conf.type = type, subset = transplant == 1), c(50, 183, 365))
add("late followup", printed(survfit(Surv(start, time, 1 - status) ~ 1, late, conf.type = "log-log")))
# a curve that ends at one half: print gives the day of the last death, quantile the middle from there to the last day
for (type in types) add(paste("half", type, "median"), printed(survfit(Surv(time, status) ~ 1, half, conf.type = type)))
# restricted means and their standard errors
mean_of <- function(f, day) { m <- summary(f, rmean = day)$table; if (is.matrix(m)) as.numeric(t(m[, c("rmean", "se(rmean)")])) else m[c("rmean", "se(rmean)")] }
add("rmst lung", mean_of(survfit(Surv(time, status) ~ 1, lung), 365)); add("rmst sex", mean_of(survfit(Surv(time, status) ~ sex, lung), 500))
add("rmst late", mean_of(survfit(Surv(start, time, status) ~ 1, late), 365))
m <- mean_of(survfit(Surv(time, status) ~ sex, lung), 500); z <- qnorm(0.975)
e <- m[3] - m[1]; se <- sqrt(m[2]^2 + m[4]^2); add("rmst difference", c(e, e - z * se, e + z * se, 2 * pnorm(-abs(e / se))))
e <- log(m[3] / m[1]); se <- sqrt((m[2] / m[1])^2 + (m[4] / m[3])^2); add("rmst ratio", c(exp(c(e, e - z * se, e + z * se)), 2 * pnorm(-abs(e / se))))
# log-rank tests
ranks <- function(f, rho = 0, data = lung) { l <- survdiff(f, data, rho = rho); chi(l$chisq, length(l$n) - 1) }
l <- survdiff(Surv(time, status) ~ ecog, lung, rho = 0)
add("logrank ecog", ranks(Surv(time, status) ~ ecog)); add("logrank observed", l$obs); add("logrank expected", l$exp); add("logrank variance", l$var)
add("logrank ecog rho 1", ranks(Surv(time, status) ~ ecog, 1)); add("logrank ecog rho half", ranks(Surv(time, status) ~ ecog, 0.5))
add("logrank ecog strata sex", ranks(Surv(time, status) ~ ecog + strata(sex))); add("logrank ecog strata sex rho 1", ranks(Surv(time, status) ~ ecog + strata(sex), 1))
trend <- function(l, s) { d <- if (is.matrix(l$obs)) rowSums(l$obs - l$exp) else l$obs - l$exp; chi(sum(s * d)^2 / drop(s %*% l$var %*% s), 1) }
add("trend ecog", trend(l, 1:4)); add("trend ecog strata sex", trend(survdiff(Surv(time, status) ~ ecog + strata(sex), lung), 1:4))
# with delayed entry survdiff does not work; the score test of the exact partial likelihood is the same test
score <- function(f, data) { m <- coxph(f, data, ties = "exact"); chi(m$score, length(coef(m))) }
add("logrank late", score(Surv(start, time, status) ~ factor(band), late)); add("trend late", score(Surv(start, time, status) ~ band, late))
add("logrank late strata sex", score(Surv(start, time, status) ~ factor(band) + strata(sex), late))
add("logrank heart", score(Surv(start, stop, event) ~ transplant, heart))
add("logrank check", score(Surv(time, status) ~ factor(ecog), lung))
# competing risks
for (name in c("causes", "untied")) {
  d <- read.csv(paste0(name, ".csv")); d$state <- factor(d$cause, 0:2, c("censored", "one", "two")); d$id <- seq_len(nrow(d))
  at <- c(0.5, 1, 2, 4)
  for (type in types) {
    s <- summary(survfit(Surv(time, state) ~ 1, d, conf.type = type), times = at)
    for (k in 1:2) { n <- paste(name, "incidence", k, type); add(n, s$pstate[, k + 1]); add(paste(n, "error"), s$std.err[, k + 1]); add(paste(n, "lower"), s$lower[, k + 1]); add(paste(n, "upper"), s$upper[, k + 1]) }
    s <- summary(survfit(Surv(entry, time, state) ~ 1, d, id = id, conf.type = type), times = at)
    for (k in 1:2) { n <- paste(name, "late incidence", k, type); add(n, s$pstate[, k + 1]); add(paste(n, "error"), s$std.err[, k + 1]); add(paste(n, "lower"), s$lower[, k + 1]); add(paste(n, "upper"), s$upper[, k + 1]) }
  }
  g <- cuminc(d$time, d$cause, d$group); for (k in 1:2) add(paste(name, "gray", k), g$Tests[k, c("stat", "df", "pv")])
  g <- cuminc(d$time, d$cause, d$group, d$stratum); for (k in 1:2) add(paste(name, "gray strata", k), g$Tests[k, c("stat", "df", "pv")])
  g <- cuminc(d$time, d$cause, d$group, rho = 1); for (k in 1:2) add(paste(name, "gray rho 1", k), g$Tests[k, c("stat", "df", "pv")])
  x <- as.matrix(d[, c("age", "marker")])
  for (k in 1:2) {
    m <- crr(d$time, d$cause, x, failcode = k, gtol = 1e-14); se <- sqrt(diag(m$var))
    add(paste(name, "crr", k), c(m$coef, se, 2 * pnorm(-abs(m$coef / se)))); add(paste(name, "crr loglik", k), c(m$loglik.null, m$loglik))
    f <- finegray(Surv(time, state) ~ ., d, etype = c("one", "two")[k])
    w <- coxph(Surv(fgstart, fgstop, fgstatus) ~ age + marker, f, weights = fgwt, cluster = id, control = coxph.control(eps = 1e-11))
    add(paste(name, "finegray", k), c(coef(w), sqrt(diag(vcov(w)))))
    h <- coxph(Surv(time, cause == k) ~ age + marker, d, control = coxph.control(eps = 1e-11)); add(paste(name, "cause-specific", k), c(coef(h), sqrt(diag(vcov(h)))))
  }
}
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival")), paste("cmprsk", packageVersion("cmprsk"))), "versions.txt")
