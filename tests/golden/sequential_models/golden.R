# Golden values for tests/analyses/test_survival_golden.py. In the top folder: python -m tests.golden.sequential_models.data; then here:
# Rscript golden.R. Debian packages r-base-core, r-cran-survival, r-cran-mice.
suppressMessages({library(survival); library(splines); library(mice)})
options(digits = 17, warn = 1)
out <- list()
add <- function(...) {
  part <- list(...); values <- part[[length(part)]]
  out[[length(out) + 1]] <<- data.frame(quantity = paste(unlist(part[-length(part)]), collapse = " "), value = as.numeric(values))
}
tight <- coxph.control(eps = 1e-13, iter.max = 60, toler.chol = 1e-14)
read <- function(file) {
  d <- read.csv(file)
  d$site <- factor(d$site, levels = c("other", "breast", "lung", "throat")); d$sex <- factor(d$sex, levels = c("female", "male"))
  d$face <- d$face_age / 10; d$age <- d$chronological_age / 10; d$acc <- d$age_acceleration / 10
  d$Y <- with(d, Surv(followup_years, event)); d
}
d <- read("people.csv")
# one coefficient as ratio, interval, p
ratio <- function(fit, term, robust = FALSE) {
  s <- summary(fit)
  c(s$conf.int[term, c("exp(coef)", "lower .95", "upper .95")], s$coefficients[term, "Pr(>|z|)"])
}
# sequentially adjusted models, with model and robust errors
steps <- list(unadjusted = "", age = "+ age", sex = "+ age + sex", site = "+ age + sex + site", full = "+ age + sex + site + ecog")
for (s in names(steps)) for (x in c("face", "acc", "age")) {
  right <- paste(x, gsub(if (x == "age") "+ age" else "none", "", steps[[s]], fixed = TRUE))
  fit <- coxph(as.formula(paste("Y ~", right)), d, control = tight, ties = "efron")
  add("sequential", s, x, ratio(fit, x)); add("sequential", s, x, "robust", ratio(update(fit, robust = TRUE), x))
  if (x == "acc") { k <- sd(d$age_acceleration) / 10; add("sequential", s, "sd", exp(c(coef(fit)[x], confint(fit)[x, ]) * k)) }
}
add("strata cluster", ratio(coxph(Y ~ face + age + sex + strata(site), d, cluster = hospital, control = tight), "face"))
# groups by rule: ECOG below 1, 1 to 2, 2 and over
d$eg <- cut(d$ecog, c(-Inf, 1, 2, Inf), right = FALSE)
fit <- coxph(Y ~ face + age + eg, d, control = tight); for (t in names(coef(fit))[3:4]) add("groups", t, ratio(fit, t))
# face age against age: two models stacked, and one model
for (s in c("unadjusted", "full")) {
  more <- if (s == "full") "sex + site + ecog" else NULL
  e <- if (s == "full") d[!is.na(d$ecog), ] else d
  two <- rbind(transform(e, copy = 1, f = face, a = 0), transform(e, copy = 2, f = 0, a = age))
  right <- paste("f + a", if (s == "full") "+ factor(copy):sex + factor(copy):site + factor(copy):ecog" else "", "+ strata(copy)")
  two$Y <- with(two, Surv(followup_years, event))
  fit <- coxph(as.formula(paste("Y ~", right)), two, cluster = subject_id, control = tight)
  V <- vcov(fit)[c("f", "a"), c("f", "a")]; b <- coef(fit)[c("f", "a")]; w <- c(1, -1); se <- sqrt(drop(w %*% V %*% w)); v <- sum(w * b)
  add("two models", s, c(exp(v), exp(v - qnorm(.975) * se), exp(v + qnorm(.975) * se), 2 * pnorm(-abs(v / se))))
  add("two models", s, "face", ratio(fit, "f")); add("two models", s, "age", ratio(fit, "a"))
  fit <- coxph(as.formula(paste("Y ~ face + age", if (s == "full") "+ sex + site + ecog" else "")), e, control = tight)
  V <- vcov(fit)[1:2, 1:2]; b <- coef(fit)[1:2]; se <- sqrt(drop(w %*% V %*% w)); v <- sum(w * b)
  add("one model", s, c(exp(v), exp(v - qnorm(.975) * se), exp(v + qnorm(.975) * se), 2 * pnorm(-abs(v / se))))
}
# natural spline of acceleration in years: tests, and the curve against 0
for (s in c("age", "full")) {
  e <- if (s == "full") d[!is.na(d$ecog), ] else d
  more <- steps[[s]]
  B <- ns(e$age_acceleration, df = 3); e$B1 <- B[, 1]; e$B2 <- B[, 2]; e$B3 <- B[, 3]
  curved <- coxph(as.formula(paste("Y ~ B1 + B2 + B3", more)), e, control = tight)
  straight <- coxph(as.formula(paste("Y ~ age_acceleration", more)), e, control = tight)
  none <- coxph(as.formula(paste("Y ~", substring(more, 2))), e, control = tight)
  for (o in list(list("curvature", straight), list("any", none))) {
    a <- anova(o[[2]], curved); add("spline", s, o[[1]], c(a$Chisq[2], a$Df[2], a[2, 4]))
  }
  at <- as.numeric(quantile(e$age_acceleration, c(0.025, 0.975))); L <- predict(B, at) - predict(B, c(0, 0))
  v <- L %*% coef(curved)[1:3]; se <- sqrt(diag(L %*% vcov(curved)[1:3, 1:3] %*% t(L)))
  add("spline", s, "curve", c(at, exp(v), exp(v - qnorm(.975) * se), exp(v + qnorm(.975) * se)))
}
# interaction with site, a baseline hazard and covariates of its own for each
own <- list(unadjusted = "", age = "+ age:site", sex = "+ age:site + I(sex == 'male'):site")
for (s in c("unadjusted", "age", "sex")) {
  a <- anova(coxph(as.formula(paste("Y ~ face + strata(site)", own[[s]])), d, control = tight),
             coxph(as.formula(paste("Y ~ face:site + strata(site)", own[[s]])), d, control = tight))
  add("interaction", s, c(a$Chisq[2], abs(a$Df[2]), a[2, 4]))
  p <- c()
  for (l in c("other", "breast", "lung", "throat")) {
    fit <- coxph(as.formula(paste("Y ~ face", steps[[s]])), d[d$site == l, ], control = tight); add("site", s, l, ratio(fit, "face")); p <- c(p, ratio(fit, "face")[4])
  }
  add("site q", s, p.adjust(p, "BH"))
}
# proportional hazards, factors as one term; the smooth of plot.cox.zph, columns by themselves
for (s in c("age", "full")) {
  fit <- coxph(as.formula(paste("Y ~ face", steps[[s]])), d, control = tight); z <- cox.zph(fit)
  for (t in rownames(z$table)) add("zph", s, t, z$table[t, ])
  z <- cox.zph(fit, terms = FALSE); x <- z$x; y <- z$y[, "face"]; at <- seq(min(x), max(x), length = 40)
  l <- ns(c(at, x), df = 4, intercept = TRUE); p <- l[1:40, ]; q <- qr(l[-(1:40), ])
  bk <- backsolve(q$qr[1:4, 1:4], diag(4)); se <- sqrt(z$var[1, 1] * ((p %*% bk %*% t(bk)) * p) %*% rep(1, 4))
  value <- p %*% qr.coef(q, y); k <- c(1, 10, 25, 40)
  add("smooth", s, c(value[k], value[k] - qnorm(.975) * se[k], value[k] + qnorm(.975) * se[k]))
}
# remedies: strata, x times log2 of time, stretches of follow-up
add("remedy strata", ratio(coxph(Y ~ face + age + sex + ecog + strata(site), d, control = tight), "face"))
fit <- coxph(Surv(followup_years, event) ~ face + tt(face) + age, d, tt = function(x, t, ...) x * log2(t), control = tight)
add("remedy log time", ratio(fit, "face")); add("remedy log time", "doubling", ratio(fit, "tt(face)"))
p <- survSplit(Surv(followup_years, event) ~ ., d[, c("followup_years", "event", "face", "age")], cut = c(0.5, 1.5), episode = "spell")
fit <- coxph(Surv(tstart, followup_years, event) ~ face:factor(spell) + age, p, control = tight)
for (k in 2:4) add("remedy stretch", k - 2, ratio(fit, k))
a <- anova(coxph(Surv(tstart, followup_years, event) ~ face + age, p, control = tight), fit); add("remedy stretch", "test", c(a$Chisq[2], a$Df[2], a[2, 4]))
third <- cut(d$age_acceleration, quantile(d$age_acceleration, 0:3 / 3), include.lowest = TRUE)
m <- survival:::survmean(survfit(Y ~ third, d), rmean = 1)$matrix; v <- m[3, "rmean"] - m[1, "rmean"]
se <- sqrt(sum(m[c(1, 3), "se(rmean)"]^2)); add("remedy years lived", c(v, v - qnorm(.975) * se, v + qnorm(.975) * se, 2 * pnorm(-abs(v / se))))
# missing covariates: pooled fits, and the cumulative hazard that enters the imputation
c5 <- read("completed.csv"); fits <- lapply(0:4, function(j) coxph(Y ~ face + age + sex + site + ecog, c5[c5$table == j, ], control = tight))
q <- sapply(fits, function(f) coef(f)["face"]); u <- sapply(fits, function(f) vcov(f)["face", "face"])
df <- fits[[1]]$nevent - length(coef(fits[[1]])); o <- pool.scalar(q, u, n = df + 1, k = 1); half <- qt(.975, o$df) * sqrt(o$t)
add("pool", c(exp(o$qbar), exp(o$qbar - half), exp(o$qbar + half), 2 * pt(-abs(o$qbar) / sqrt(o$t), o$df), o$df))
m <- summary(pool(as.mira(fits)), conf.int = TRUE); m <- m[m$term == "face", ]
add("pool mice", c(exp(unlist(m[c("estimate", "2.5 %", "97.5 %")])), m$p.value, m$df))
f <- survfit(Y ~ 1, d); add("nelson aalen", f$cumhaz[match(d$followup_years[1:8], f$time)])
# sensitivity: at risk from 0.5 years on; classes of the gap
e <- d[d$followup_years > 0.5, ]; e$from <- 0.5
add("late", ratio(coxph(Surv(from, followup_years, event) ~ face + age, e, control = tight), "face"))
d$class <- relevel(cut(d$age_gap, c(-Inf, 0, 10 - 1e-12, Inf)), 2)
fit <- coxph(Y ~ class + age, d, control = tight); add("gap class", "low", ratio(fit, 1)); add("gap class", "high", ratio(fit, 2))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival")), paste("mice", packageVersion("mice"))), "versions.txt")
