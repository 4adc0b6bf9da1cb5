# Golden values for tests/stats/test_stats_golden.py. In the top folder: python -m tests.golden.r.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-survival, r-cran-sandwich, r-cran-lmtest.
suppressMessages({library(survival); library(sandwich); library(lmtest)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
terms <- function(name, fit) {
  s <- summary(fit)
  for (t in rownames(s$coefficients)) {
    add(paste(name, t, "log_hazard_ratio"), s$coefficients[t, "coef"])
    add(paste(name, t, "standard_error"), s$coefficients[t, "se(coef)"])
    add(paste(name, t, "p_value"), s$coefficients[t, "Pr(>|z|)"])
    add(paste(name, t, "ci_lower"), s$conf.int[t, "lower .95"])
    add(paste(name, t, "ci_upper"), s$conf.int[t, "upper .95"])
  }
  add(paste(name, "log_likelihood_null"), fit$loglik[1]); add(paste(name, "log_likelihood"), fit$loglik[2])
  add(paste(name, "concordance"), s$concordance[1])
}
tight <- coxph.control(eps = 1e-14, iter.max = 50)
d <- read.csv("lung.csv")
terms("lung", coxph(Surv(time, status) ~ age + sex + ecog, d, control = tight))
r <- read.csv("rossi.csv")
terms("rossi", coxph(Surv(week, arrest) ~ fin + age + prio + mar, r, control = tight))
h <- read.csv("heart.csv")
terms("heart", coxph(Surv(start, stop, event) ~ age + year + surgery, h, control = tight))
f <- survfit(Surv(time, status) ~ 1, d, conf.type = "log-log")
for (t in c(100, 365, 700)) {
  q <- summary(f, times = t)
  add(paste("km", t), c(q$surv, q$lower, q$upper))
}
add("km median", summary(f)$table[c("median", "0.95LCL", "0.95UCL")])
add("km median followup", summary(survfit(Surv(time, 1 - status) ~ 1, d, conf.type = "log-log"))$table[c("median", "0.95LCL", "0.95UCL")])
l <- survdiff(Surv(time, status) ~ ecog, d); add("logrank ecog", c(l$chisq, length(l$n) - 1, pchisq(l$chisq, length(l$n) - 1, lower.tail = FALSE)))
l <- survdiff(Surv(time, status) ~ sex, d); add("logrank sex", c(l$chisq, 1, pchisq(l$chisq, 1, lower.tail = FALSE)))
b <- read.csv("crime.csv")
m <- lm(murder ~ hs_grad + poverty + urban, b)
ct <- coeftest(m, vcov = vcovHC(m, type = "HC3")); ci <- coefci(m, vcov. = vcovHC(m, type = "HC3"))
for (t in rownames(ct)) add(paste("hc3", sub("(Intercept)", "intercept", t, fixed = TRUE)), c(ct[t, 1], ct[t, 2], ci[t, 1], ci[t, 2], ct[t, 4]))
w <- t.test(b$murder[b$urban > 60], b$murder[b$urban <= 60]); add("welch", c(-diff(w$estimate), w$conf.int, w$p.value))
r <- cor.test(b$murder, b$poverty); add("pearson", c(r$estimate, r$conf.int, r$p.value))
add("bh", p.adjust(c(0.01, NA, 0.02, 0.03, 0.5, 0.01, 0.04), "BH"))
# Bland and Altman 1999 by base R alone: two percentages of the same states
difference <- b$hs_grad - b$urban; middle <- (b$hs_grad + b$urban) / 2; n <- length(difference)
half <- qt(0.975, n - 1) * sd(difference) * sqrt(1 / n + 1.96^2 / (2 * (n - 1)))
for (side in c(-1, 1)) { limit <- mean(difference) + side * 1.96 * sd(difference); add(paste("agreement limit", side), c(limit, limit - half, limit + half)) }
add("agreement bias", c(mean(difference), t.test(difference)$conf.int, t.test(difference)$p.value))
line <- lm(difference ~ middle); add("agreement slope", c(coef(line)[2], confint(line)[2, ], summary(line)$coefficients[2, 4]))
# medians of curves that stay at one half for a while, or never reach it
for (i in 1:4) {
  m <- read.csv("flat.csv"); m <- m[m$curve == i, ]
  add(paste("flat median", i), summary(survfit(Surv(time, event) ~ 1, m, conf.type = "log-log"))$table[c("median", "0.95LCL", "0.95UCL")])
}
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival")), paste("sandwich", packageVersion("sandwich")),
             paste("lmtest", packageVersion("lmtest"))), "versions.txt")
