# Golden values for tests/analyses/test_time_zero.py: deaths and censorings on the day on which observation starts. Here: Rscript golden.R
# Debian packages r-base-core, r-cran-survival, r-cran-cmprsk, r-cran-riskregression. transplant ships with survival (LGPL);
# people.tsv is invented.
suppressMessages({library(survival); library(cmprsk); library(riskRegression)})
options(digits = 17, warn = 1)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
t <- transplant[!is.na(transplant$age), ]
con <- file("transplant.tsv", "w")
writeLines("# R survival::transplant (Kim 2006), 797 people on the waiting list for a liver; cause 1 transplant, 2 death, 3 withdrawal; some entries made up (30 days)", con)
d <- data.frame(time = t$futime, event = +(t$event == "death"), cause = match(t$event, c("censored", "ltx", "death", "withdraw")) - 1,
  age = t$age, female = +(t$sex == "f"), group_o = +(t$abo == "O"))
d$entry <- ifelse(seq_len(nrow(d)) %% 4 == 0 & d$time > 30, 30, -1)
write.table(d, con, sep = "\t", row.names = FALSE, quote = FALSE); close(con)
tight <- coxph.control(eps = 1e-13, iter.max = 60, toler.chol = 1e-14)
cox <- function(name, f) {
  m <- coxph(f, d, control = tight, x = TRUE); s <- summary(m)$coefficients
  add(paste(name, "coef"), s[, "coef"]); add(paste(name, "error"), s[, "se(coef)"]); add(paste(name, "n"), c(m$n, m$nevent))
  add(paste(name, "loglik"), m$loglik); invisible(m)
}
m <- cox("cox", Surv(time, event) ~ age + female)
s <- summary(m)$coefficients["age", ]; add("cox gene", s[c("coef", "se(coef)")])
cox("cox strata", Surv(time, event) ~ age + female + strata(group_o))
late <- cox("cox late", Surv(entry, time, event) ~ age + female)
z <- cox.zph(m); add("zph", z$table); add("concordance", concordance(m)$concordance); add("concordance error", sqrt(concordance(m)$var))
q <- summary(survfit(m, newdata = d[c(1, 5), ]), times = c(0, 100, 1000)); add("predicted", t(q$surv))
curve <- function(name, f) {
  s <- summary(f, times = c(0, 10, 100, 1000))
  add(paste(name, "survival"), s$surv); add(paste(name, "error"), s$std.err); add(paste(name, "lower"), s$lower); add(paste(name, "upper"), s$upper)
}
curve("km", survfit(Surv(time, event) ~ 1, d, conf.type = "log-log")); curve("km late", survfit(Surv(entry, time, event) ~ 1, d, conf.type = "log-log"))
r <- summary(survfit(Surv(time, event) ~ 1, d), rmean = 1000)$table; add("rmst", r[c("rmean", "se(rmean)")])
l <- survdiff(Surv(time, event) ~ female, d); add("logrank", l$chisq)
s <- summary(survfit(Surv(time, factor(cause)) ~ 1, d, conf.type = "log-log"), times = c(0, 10, 100))
for (k in 1:3) { add(paste("incidence", k), s$pstate[, k + 1]); add(paste("incidence error", k), s$std.err[, k + 1]) }
g <- cuminc(d$time, d$cause, d$female); add("gray", g$Tests[1, c("stat", "df", "pv")])
# crr interpolates the curve of censoring over two values at time 0 and warns; the model knows ranks only, so a day later it is the same
c1 <- crr(d$time + 1, d$cause, as.matrix(d[, c("age", "female")]), failcode = 1, gtol = 1e-14); add("crr", c(c1$coef, sqrt(diag(c1$var))))
for (day in c(99.5, 500)) { # rounded, as equal risks are ties; nobody is censored on these days, which riskRegression leaves out
  risk <- round(1 - drop(t(summary(survfit(m, newdata = d), times = day)$surv)), 10)
  s <- Score(list(cox = risk), Surv(time, event) ~ 1, d, times = day, metrics = c("auc", "brier"), conf.int = TRUE, cens.model = "km", null.model = FALSE)
  add("auc", c(s$AUC$score$AUC, s$AUC$score$se)); add("brier", c(s$Brier$score$Brier, s$Brier$score$se))
}
p <- read.delim("people.tsv")
one <- summary(coxph(Surv(followup_years, event) ~ I(face_age / 10) + I(chronological_age / 10), p, control = tight))
add("people", c(one$n, one$nevent, one$coefficients[1, "exp(coef)"], one$conf.int[1, 3:4], one$coefficients[1, "Pr(>|z|)"]))
alone <- summary(coxph(Surv(followup_years, event) ~ I(face_age / 10), p, control = tight)); add("people alone", alone$coefficients[1, "exp(coef)"])
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("survival", "cmprsk", "riskRegression"), function(p) paste(p, packageVersion(p)))), "versions.txt")
