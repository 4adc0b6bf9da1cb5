# Golden values for tests/stats/test_stats_meta_analysis.py. Here: Rscript golden.R. Debian packages r-base-core, r-cran-metafor (3.8-1), r-cran-survival.
# Data: dat.bcg and dat.konstantopoulos2011 of R's metadat, and the FaceAge cohorts as published (Zalay et al. 2025,
# doi:10.1016/j.landig.2025.03.002: HR per decade; the first with its 95% CI, the others with p, from which the errors follow);
# their yi and vi are in data.tsv. The iterations are tightened, since metafor stops REML at a change of 1e-5.
suppressMessages({library(metafor); library(survival)})
options(digits = 17)
rows <- list()
add <- function(data, method, test, quantity, values) {
  values <- as.numeric(values)
  rows[[length(rows) + 1]] <<- data.frame(data, method, test, quantity, part = seq_along(values), value = values)
}
tight <- list(threshold = 1e-13, maxiter = 100000, tol = 1e-13)
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
schools <- dat.konstantopoulos2011
hr <- c(1.151, 1.148, 1.117)
se <- c((log(1.254) - log(1.056)) / (2 * qnorm(0.975)), log(1.148) / -qnorm(0.011 / 2), log(1.117) / -qnorm(0.021 / 2))
faceage <- data.frame(yi = log(hr), vi = se^2, year = 2025)
sets <- list(bcg = bcg, schools = schools, faceage = faceage)

for (data in names(sets)) {
  d <- sets[[data]]
  fits <- list()
  for (method in c("EE", "DL", "PM", "REML", "ML", "EB", "SJ")) for (test in c("z", "knha", "adhoc")) {
    fit <- suppressWarnings(rma(yi, vi, data = d, method = method, test = test, control = if (method %in% c("PM", "REML", "ML", "EB", "SJ")) tight else list()))
    fits[[paste(method, test)]] <- fit
    add(data, method, test, "fit", c(fit$b, fit$se, fit$zval, fit$pval, fit$ci.lb, fit$ci.ub, fit$tau2, fit$I2, fit$H2, fit$QE, fit$QEp))
    if (method != "EE") {
      for (type in c("default", "t", "riley")) {
        p <- predict(fit, pi.type = type)
        add(data, method, test, paste("prediction", type), c(p$pi.lb, p$pi.ub))
      }
    }
  }
  add(data, "REML", "z", "heterogeneity", t(confint(fits[["REML z"]], control = list(tol = 1e-13))$random))
  add(data, "DL", "z", "heterogeneity", t(confint(fits[["DL z"]], control = list(tol = 1e-13))$random))
  for (test in c("z", "adhoc")) {
    fit <- fits[[paste("REML", test)]]
    one <- suppressWarnings(leave1out(fit))
    for (name in c("estimate", "se", "ci.lb", "ci.ub", "pval", "Q", "tau2", "I2")) add(data, "REML", test, paste("leave1out", name), one[[name]])
    so_far <- suppressWarnings(cumul(fit, order = if (data == "bcg") d$year else seq_len(nrow(d))))
    for (name in c("estimate", "se", "ci.lb", "ci.ub", "tau2")) add(data, "REML", test, paste("cumul", name), so_far[[name]])
  }
}

fit <- rma(yi, vi, data = bcg, method = "REML", test = "knha", control = tight)
moved <- influence(fit)$inf
for (name in c("rstudent", "dffits", "cook.d", "cov.r", "tau2.del", "QE.del", "hat")) add("bcg", "REML", "knha", paste("influence", name), moved[[name]])
add("bcg", "REML", "knha", "influence dfbs", influence(fit)$dfbs[[1]])
add("bcg", "REML", "knha", "influence inf", moved$inf == "*")

for (method in c("REML", "DL", "ML")) for (test in c("z", "knha", "adhoc")) {
  fit <- rma(yi, vi, mods = ~ ablat + year, data = bcg, method = method, test = test, control = if (method == "DL") list() else tight)
  add("bcg", method, test, "mods coefficients", fit$b)
  add("bcg", method, test, "mods errors", fit$se)
  add("bcg", method, test, "mods p", fit$pval)
  add("bcg", method, test, "mods lower", fit$ci.lb)
  add("bcg", method, test, "mods test", c(fit$QM, fit$QMp, fit$QE, fit$QEp, fit$tau2, fit$R2))
}
fit <- rma(yi, vi, mods = ~ alloc, data = bcg, test = "knha", control = tight)
add("bcg", "REML", "knha", "factor", c(fit$b, fit$se, fit$QM, fit$QMp))

small <- bcg[c(1, 4, 6, 7, 8, 9), ]
fit <- rma(yi, vi, mods = ~ ablat, data = small, test = "knha", control = tight)
p <- permutest(fit, exact = TRUE, progbar = FALSE)
add("bcg six", "REML", "knha", "permutest", c(p$pval[-1], p$QMp))

for (data in c("bcg", "schools")) {
  fit <- rma(yi, vi, data = sets[[data]], test = "z", control = tight)
  e <- regtest(fit, model = "rma", predictor = "sei")
  add(data, "REML", "z", "regtest rma", c(e$zval, e$pval, e$est, e$ci.lb, e$ci.ub))
  e <- regtest(fit, model = "lm", predictor = "sei")
  add(data, "lm", "t", "regtest lm", c(e$zval, e$pval, e$est, e$ci.lb, e$ci.ub))
}

# one stage: women of the Rotterdam study (../cox/rotterdam.tsv) as three cohorts
women <- read.delim("../cox/rotterdam.tsv", comment.char = "#")
women$cohort <- ifelse(women$hormon == 1, "treated", ifelse(women$meno == 1, "after", "before"))
one <- coxph(Surv(time, event) ~ I(age / 10) + cohort:nodes + strata(cohort), women)
each <- coxph(Surv(time, event) ~ I(age / 10):cohort + cohort:nodes + strata(cohort), women)
add("rotterdam", "Cox", "LRT", "one stage", c(coef(one)[1], sqrt(vcov(one)[1, 1]), 2 * (logLik(each) - logLik(one)), length(coef(each)) - length(coef(one))))

kept <- do.call(rbind, lapply(names(sets), function(data) {
  d <- sets[[data]]
  data.frame(data, cohort = seq_len(nrow(d)), yi = as.numeric(d$yi), vi = as.numeric(d$vi), year = d$year,
             ablat = if ("ablat" %in% names(d)) d$ablat else NA, alloc = if ("alloc" %in% names(d)) d$alloc else NA)
}))
write.table(format(kept, digits = 17, trim = TRUE), "data.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
write.table(format(do.call(rbind, rows), digits = 17, trim = TRUE), "golden.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(R.version.string, paste("metafor", packageVersion("metafor")), paste("metadat", packageVersion("metadat")), paste("survival", packageVersion("survival"))), "versions.txt")
