# Golden values for tests/stats/test_federated.py: a Cox model stratified by five sites. Here: Rscript golden.R
# Debian package r-cran-survival. Rows: ../cox/rotterdam.tsv, in their order, the first 427 at site 1, then 231, 185, 93, 58.
suppressMessages(library(survival))
options(digits = 17, warn = 1)
d <- read.delim("../cox/rotterdam.tsv", comment.char = "#")
d$nodes <- log1p(d$nodes); d$er <- log1p(d$er)
d$site <- rep(1:5, c(427, 231, 185, 93, 58))[order(order((seq_len(nrow(d)) * 7919) %% 10007))]
fit <- coxph(Surv(time, event) ~ age + meno + nodes + er + hormon + strata(site), d, control = coxph.control(eps = 1e-14, iter.max = 60, toler.chol = 1e-15))
write.table(data.frame(term = names(coef(fit)), coef = coef(fit), se = sqrt(diag(vcov(fit)))), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival"))), "versions.txt")
# a linear model with an intercept for each site, tests/stats/test_federated.py
fit <- lm(er ~ age + meno + nodes + factor(site), d)
rows <- 2:4
write.table(data.frame(term = names(coef(fit))[rows], coef = coef(fit)[rows], se = sqrt(diag(vcov(fit)))[rows], confint(fit)[rows, ], p = summary(fit)$coefficients[rows, 4]), "linear.tsv", sep = "\t", row.names = FALSE, quote = FALSE, col.names = c("term", "coef", "se", "lower", "upper", "p"))
# three sites, two terms, for tests/federated/test_nvflare.py
fit <- coxph(Surv(time, event) ~ age + nodes + strata(site), d[d$site <= 3, ], control = coxph.control(eps = 1e-14, iter.max = 60, toler.chol = 1e-15))
write.table(data.frame(term = names(coef(fit)), coef = coef(fit), se = sqrt(diag(vcov(fit)))), "three_sites.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
