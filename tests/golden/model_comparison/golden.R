# Golden values for tests/analyses/test_model_comparison.py. In the top folder: python -m tests.golden.model_comparison.data; then here:
# Rscript golden.R. Debian packages r-base-core, r-cran-survival, r-cran-sandwich.
suppressMessages({library(survival); library(sandwich)}); options(digits = 17)
out <- list()
add <- function(quantity, values) out[[length(out) + 1]] <<- data.frame(quantity = quantity, value = as.numeric(values))
tight <- coxph.control(eps = 1e-13, iter.max = 60, toler.chol = 1e-14)
d <- read.csv("people.csv"); d$sex <- factor(d$sex, levels = c("female", "male")); d$age <- d$chronological_age / 10
d$Y <- with(d, Surv(followup_years, event)); ages <- list(first = d$face_age, second = d$face_age_2)
mean_of <- function(x) { t <- t.test(x); c(t$estimate, t$conf.int, t$p.value) }
sds <- list()
for (m in names(ages)) {
  gap <- ages[[m]] - d$chronological_age
  add(paste("absolute", m), mean_of(abs(gap))[1:3]); add(paste("error", m), mean_of(gap)); add(paste("rmse", m), sqrt(mean(gap^2)))
  t <- cor.test(ages[[m]], d$chronological_age); add(paste("correlation", m), c(t$estimate, t$conf.int, t$p.value))
  line <- lm(gap ~ chronological_age, d); b <- coef(line)[[2]]; se <- sqrt(vcovHC(line, "HC3")[2, 2]); df <- line$df.residual
  add(paste("slope", m), c(b, b + c(-1, 1) * qt(.975, df) * se, 2 * pt(-abs(b / se), df)))
  sds[[m]] <- summary(lm(ages[[m]] ~ d$chronological_age))$sigma
}
gaps <- lapply(ages, function(x) abs(x - d$chronological_age))
t <- t.test(gaps$second, gaps$first, paired = TRUE); add("absolute difference", c(t$estimate, t$conf.int, t$p.value))
d$first <- ages$first / sds$first; d$second <- ages$second / sds$second
without <- coxph(Y ~ age + sex, d, control = tight)
fit <- list(first = coxph(Y ~ first + age + sex, d, control = tight), second = coxph(Y ~ second + age + sex, d, control = tight))
both <- coxph(Y ~ first + second + age + sex, d, control = tight)
test <- function(small, large) { a <- anova(small, large); c(a$Chisq[2], a[2, 4]) }
for (m in names(fit)) {
  s <- summary(fit[[m]]); add(paste("hazard", m), c(s$conf.int[m, c(1, 3, 4)], s$coefficients[m, 5]))
  add(paste("likelihood", m), test(without, fit[[m]])); add(paste("adds", m), test(fit[[setdiff(names(fit), m)]], both))
}
# Harrell's C of each, and their paired difference by the infinitesimal jackknife; scores that differ by rounding alone are equal
paired <- function(name, first, second) {
  d$a <<- round(first, 10); d$b <<- round(second, 10); as_it_is <- coxph.control(iter.max = 0)
  found <- concordance(coxph(Y ~ a, d, init = 1, control = as_it_is), coxph(Y ~ b, d, init = 1, control = as_it_is)); c <- coef(found); v <- vcov(found); w <- c(-1, 1); se <- sqrt(drop(w %*% v %*% w)); z <- qnorm(.975)
  add(paste(name, "first"), c(c[1], c[1] + c(-z, z) * sqrt(v[1, 1]))); add(paste(name, "second"), c(c[2], c[2] + c(-z, z) * sqrt(v[2, 2])))
  add(paste(name, "difference"), c(sum(w * c), sum(w * c) - z * se, sum(w * c) + z * se, 2 * pnorm(-abs(sum(w * c) / se))))
}
paired("alone", d$first, d$second); paired("adjusted", predict(fit$first), predict(fit$second))
# agreement (Bland and Altman 1999)
x <- ages$second - ages$first; n <- length(x); reach <- qt(.975, n - 1) * sd(x) * sqrt(1 / n + 1.96^2 / (2 * (n - 1)))
add("bias", mean_of(x)[1:3])
for (side in c(-1, 1)) { l <- mean(x) + side * 1.96 * sd(x); add(paste("limit", side), c(l, l - reach, l + reach)) }
middle <- (ages$second + ages$first) / 2; line <- lm(x ~ middle); s <- summary(line)$coefficients
add("agreement slope", c(s[2, 1], confint(line)[2, ], s[2, 4])); add("agreement sd", sd(x))
t <- cor.test(ages$first, ages$second); add("agreement correlation", c(t$estimate, t$conf.int))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("survival", "sandwich"), function(p) paste(p, packageVersion(p)))), "versions.txt")
